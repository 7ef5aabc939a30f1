// SPDX-License-Identifier: Apache-2.0
#include "cli/learn_interactively.h"

#include <fmt/core.h>

#include <algorithm>
#include <cerrno>
#include <filesystem>
#include <iostream>
#include <map>
#include <optional>
#include <system_error>
#include <utility>
#include <vector>

#include "base/printable.h"
#include "cli/find_policy.h"
#include "cli/live_policy.h"
#include "cli/load_policy.h"
#include "core/decide.h"
#include "events/event_text.h"
#include "explain/amend.h"
#include "explain/learn_sockets.h"
#include "explain/replay.h"
#include "explain/why.h"
#include "kernel/files/atomic_file.h"
#include "policy/policy_text.h"
#include "policy_dirs/policy_dirs.h"
#include "rpc/client.h"

namespace holdfast::cli {
namespace {

namespace fs = std::filesystem;

using policy_dirs::Plan;
using policy_dirs::PlannedFile;

constexpr unsigned kPolicyMode = 0644;
// After the other drop-ins, whose keys it overrides.
constexpr char kDropIn[] = "/zz-learned.toml";

int complain(int status, std::string_view text) {
  fmt::print(stderr, "holdfast learn: {}\n", text);
  return status;
}

// The files that are changed: the text of each, as it would be written.
class Draft {
 public:
  // Of one policy file.
  static std::optional<Draft> of_file(const std::string& name) {
    auto sources = read_policy_files({name});
    if (sources.empty()) return std::nullopt;
    Draft draft;
    draft.file_ = std::move(sources[0]);
    return draft;
  }
  static Draft of_machine(policy_dirs::PolicyDirs dirs) {
    Draft draft;
    draft.dirs_ = std::move(dirs);
    return draft;
  }

  [[nodiscard]] bool is_machine() const { return !file_; }

  [[nodiscard]] Result<std::vector<policy::Source>> sources() const {
    if (file_) return std::vector<policy::Source>{*file_};
    HF_TRY_ASSIGN(const auto units, policy_dirs::read_units(dirs_, plan_));
    if (const auto refused = policy_dirs::refusals(units); !refused.empty())
      return Error{EINVAL, "read policy", refused[0].where.file, refused[0].message};
    return policy_dirs::sources_of(units);
  }

  // The file that gets a statement of this profile, which is stated first at `where`.
  [[nodiscard]] Result<std::string> path_for(const policy::Span& where) const {
    if (file_) return file_->name;
    HF_TRY_ASSIGN(const auto units, policy_dirs::read_units(dirs_, plan_));
    for (const policy_dirs::PolicyUnit& unit : units)
      if (std::ranges::find(unit.files, where.file, &policy_dirs::PolicyFile::path) !=
          unit.files.end())
        return dirs_.paths.back() + "/" + unit.name + ".d" + kDropIn;
    return Error{ENOENT, "find the policy file", where.file, ""};
  }

  [[nodiscard]] Result<std::string> text_of(const std::string& path) const {
    if (file_) return file_->text;
    if (const auto planned = plan_.find(path); planned != plan_.end()) return planned->second.text;
    auto text = policy::read_source(path);
    if (text) return std::move(text->text);
    if (text.error().code != ENOENT) return text.error();
    return std::string("version = 1\n# Written by holdfast learn --interactive.\n");
  }

  void set(const std::string& path, std::string text) {
    if (file_) file_->text = std::move(text);
    changed_[path] = file_ ? file_->text : text;
    if (!file_) plan_[path] = {PlannedFile::Kind::text, std::move(text)};
  }

  [[nodiscard]] const std::map<std::string, std::string>& changed() const { return changed_; }

 private:
  std::optional<policy::Source> file_;
  policy_dirs::PolicyDirs dirs_;
  Plan plan_;
  std::map<std::string, std::string> changed_;  // by path
};

// The policy as it is, and with every profile in enforce: what audit only reports is a refusal here.
struct Policies {
  policy::ReadPolicy stated;
  policy::ReadPolicy enforced;
};

std::optional<Policies> compiled(const Draft& draft) {
  auto sources = draft.sources();
  if (!sources) {
    complain(kExitUsage, sources.error().message());
    return std::nullopt;
  }
  policy::PolicyText text{*std::move(sources), {}};
  Policies read{policy::read_policy(text), {}};
  for (const policy::Diagnostic& diagnostic : read.stated.diagnostics)
    fmt::print(stderr, "{}", policy::render(diagnostic));
  if (!read.stated.compiled) return std::nullopt;
  for (const policy::Profile& profile : read.stated.model.profiles)
    text.modes[profile.name] = HF_MODE_ENFORCE;
  read.enforced = policy::read_policy(text);
  if (!read.enforced.compiled) return std::nullopt;
  return read;
}

hf_verdict decided(const policy::Compiled& policy, const hf_request& request) {
  hf_verdict verdict;
  hf_decide(policy.tables.get(), &request, &verdict);
  return verdict;
}

// The draft with the change, if it then is a policy that allows the event.
std::optional<Draft> with_change(const Draft& draft, const policy::ReadPolicy& policy,
                                 const policy::Change& change,
                                 const policy::RecordedEvent& recorded, const hf_event& event) {
  const auto of = std::ranges::find(policy.model.profiles, change.profile, &policy::Profile::name);
  if (of == policy.model.profiles.end()) return std::nullopt;
  const auto path = draft.path_for(of->where);
  if (!path) return std::nullopt;
  const auto text = draft.text_of(*path);
  if (!text) return std::nullopt;
  auto changed = policy::amended(*text, *path, change, event.request, *policy.compiled);
  if (!changed) return std::nullopt;
  Draft next = draft;
  next.set(*path, *std::move(changed));
  const auto sources = next.sources();
  if (!sources) return std::nullopt;
  const auto read = policy::read_policy({*sources, {}});
  if (!read.compiled) return std::nullopt;
  const auto again = policy::event_under(recorded, *read.compiled);
  if (!again || decided(*read.compiled, again->request).action == HF_DENY) return std::nullopt;
  return next;
}

enum class Answer { yes, no, done, quit };

Answer ask() {
  while (true) {
    fmt::print("Allow it? [y]es, [n]o, [d]one: write what was accepted, [q]uit: write nothing: ");
    std::fflush(stdout);
    std::string line;
    if (!std::getline(std::cin, line)) {
      fmt::print("\n");
      return Answer::quit;
    }
    if (line == "y" || line == "yes") return Answer::yes;
    if (line == "n" || line == "no") return Answer::no;
    if (line == "d" || line == "done") return Answer::done;
    if (line == "q" || line == "quit") return Answer::quit;
  }
}

std::string change_text(const policy::Change& change, const hf_request& request,
                        const policy::Compiled& policy) {
  if (!change.key.starts_with("socket[")) {
    const std::string place = change.where.file.empty() ? "" : escape(change.where.place()) + "  ";
    return change.value.empty() ? fmt::format("{}remove {}", place, change.key)
                                : fmt::format("{}{} = {} in profile {}", place, change.key,
                                              escape(change.value), escape(change.profile));
  }
  std::string text = "a new first rule:";
  const std::string rule = policy::allowing_rule(request, policy);
  for (std::size_t at = 0; at < rule.size();) {
    const std::size_t end = std::min(rule.find('\n', at), rule.size());
    text += "\n            " + escape(rule.substr(at, end - at));
    at = end + 1;
  }
  return text;
}

struct Asked {
  int accepted = 0;
  int refused = 0;  // shown, and not accepted
  bool quit = false;
};

// Shows one kind of request that the policy refuses, and asks. Returns false if that was the last
// question.
bool ask_about(const policy::RecordedKind& kind, const policy::RecordedEvent& recorded,
               const hf_event& event, const Policies& policies, Draft& draft, Asked& asked) {
  const policy::ReadPolicy& policy = policies.enforced;
  hf_event shown = event;
  shown.verdict = decided(*policies.stated.compiled, event.request);
  shown.repeats = 0;
  std::string text = policy::event_text(shown, *policy.compiled, policy::Colour::off);
  text.resize(std::min(text.size(), text.rfind("  (event ")));
  fmt::print("\n{}  {}\n", text, policy::event_list(kind.ids));
  const auto change = policy::find_flip(policy.model, *policy.compiled, event.request);
  if (!change || change->key == "mode") {
    fmt::print("  change  no single rule of this policy would allow that\n");
    asked.refused++;
    return true;
  }
  fmt::print("  change  {}\n", change_text(*change, event.request, *policy.compiled));
  auto next = with_change(draft, policy, *change, recorded, event);
  if (!next) {
    fmt::print("          The file cannot be changed like that by itself. Edit it.\n");
    asked.refused++;
    return true;
  }
  const Answer answer = ask();
  if (answer == Answer::yes) {
    draft = *std::move(next);
    asked.accepted++;
    return true;
  }
  asked.refused++;
  asked.quit = answer == Answer::quit;
  return answer == Answer::no;
}

Result<Asked> ask_all(const policy::Recording& recording, Policies policies, Draft& draft) {
  Asked asked;
  for (const policy::RecordedKind& kind : recording.kinds) {
    HF_TRY_ASSIGN(const auto recorded, policy::RecordedEvent::parse(kind.line));
    HF_TRY_ASSIGN(const auto event, policy::event_under(recorded, *policies.enforced.compiled));
    if (decided(*policies.enforced.compiled, event.request).action != HF_DENY) continue;
    const int before = asked.accepted;
    if (!ask_about(kind, recorded, event, policies, draft, asked)) break;
    if (asked.accepted == before) continue;
    auto changed = compiled(draft);
    if (!changed) return Error{EINVAL, "read policy", "", "the changed policy has mistakes"};
    policies = *std::move(changed);
  }
  return asked;
}

// Writes the files. If one cannot be written, those before it get their old text again.
Result<void> write(const Draft& draft, std::map<std::string, std::optional<std::string>>& before) {
  for (const auto& [path, text] : draft.changed()) {
    const auto old = policy::read_source(path);
    if (!old && old.error().code != ENOENT) return old.error();
    HF_TRY(kernel::make_directories(fs::path(path).parent_path().string()));
    std::error_code failed;
    const fs::file_status status = fs::status(path, failed);
    const unsigned mode =
        fs::exists(status) ? static_cast<unsigned>(status.permissions()) & 0777u : kPolicyMode;
    HF_TRY(kernel::replace_file(path, text, mode));
    before[path] = old ? std::optional(old->text) : std::nullopt;
  }
  return {};
}

void restore(const std::map<std::string, std::optional<std::string>>& before) {
  for (const auto& [path, text] : before) {
    std::error_code failed;
    if (!text)
      fs::remove(path, failed);
    else if (auto written = kernel::replace_file(path, *text, kPolicyMode); !written)
      complain(kExitFailed, written.error().message());
  }
}

bool keep_it(const std::string& confirm_within) {
  fmt::print("Is everything still working? Confirm within {}: keep it? [y/N] ", confirm_within);
  std::fflush(stdout);
  std::string line;
  return static_cast<bool>(std::getline(std::cin, line)) && (line == "y" || line == "yes");
}

// Makes the files live, with a time limit.
int make_live(const LearnOptions& options, const Draft& draft) {
  ReloadOptions control;
  control.socket = options.socket;
  control.confirm = options.confirm;
  std::map<std::string, std::optional<std::string>> before;
  if (const int staged = stage(control); staged != kExitOk) return staged;
  if (auto written = write(draft, before); !written) {
    restore(before);
    return complain(kExitFailed, written.error().message());
  }
  if (const int live = reload(control); live != kExitOk) {
    restore(before);
    fmt::print("The files are as before.\n");
    return live;
  }
  if (keep_it(options.confirm)) return confirm(control);
  restore(before);
  fmt::print("The files are as before.\n");
  return rollback(control);
}

int write_and_say(const Draft& draft) {
  std::map<std::string, std::optional<std::string>> before;
  if (auto written = write(draft, before); !written) {
    restore(before);
    return complain(kExitFailed, written.error().message());
  }
  for (const auto& [path, text] : draft.changed()) fmt::print("wrote {}\n", escape(path));
  return kExitOk;
}

}  // namespace

int learn_interactively(const LearnOptions& options) {
  if (options.policies.size() > 1)
    return complain(kExitUsage,
                    "--interactive changes one file: name one --policy, or none for the policy of "
                    "this machine");
  std::optional<Draft> draft;
  if (options.policies.empty()) {
    std::string why;
    draft = Draft::of_machine(directories_for(options.dirs, live_policy(options.socket, why)));
  } else {
    const auto path = find_policy(options.policies[0]);
    if (!path) return complain(kExitUsage, path.error().message());
    draft = Draft::of_file(*path);
  }
  if (!draft) return kExitUsage;
  auto policies = compiled(*draft);
  if (!policies) return kExitUsage;
  const auto recording = read_recording_of(options);
  if (!recording) return complain(kExitUsage, recording.error().message());
  const auto asked = ask_all(*recording, *std::move(policies), *draft);
  if (!asked) return complain(kExitUsage, asked.error().message());
  if (asked->accepted + asked->refused == 0) {
    fmt::print("The policy refuses none of the recorded events.\n");
    return kExitOk;
  }
  fmt::print("\n{} changes accepted, {} refusals stay\n", asked->accepted, asked->refused);
  if (asked->quit || asked->accepted == 0) {
    fmt::print("Nothing was written.\n");
    return kExitOk;
  }
  const bool has_daemon =
      draft->is_machine() && static_cast<bool>(rpc::Client::connect(options.socket));
  return has_daemon ? make_live(options, *draft) : write_and_say(*draft);
}

}  // namespace holdfast::cli
