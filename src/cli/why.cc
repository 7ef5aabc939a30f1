// SPDX-License-Identifier: Apache-2.0
// `holdfast why`: explains the decision about a request or a recorded event.
#include <fmt/core.h>

#include <charconv>
#include <optional>
#include <set>
#include <utility>

#include "base/printable.h"
#include "base/reason.h"
#include "cli/commands.h"
#include "cli/deciding_policy.h"
#include "cli/load_policy.h"
#include "cli/read_events.h"
#include "events/event_file.h"
#include "events/event_text.h"
#include "events/guard_event.h"
#include "events/recorded_event.h"
#include "explain/request.h"
#include "explain/why.h"
#include "policy/enum_names.h"
#include "policy/policy_text.h"

namespace holdfast::cli {
namespace {

// Compiles the policy. Empty: it has errors, which were printed to standard error.
std::optional<policy::ReadPolicy> compiled(const policy::PolicyText& text) {
  auto policy = policy::read_policy(text);
  for (const policy::Diagnostic& diagnostic : policy.diagnostics)
    fmt::print(stderr, "{}", policy::render(diagnostic));
  if (!policy.compiled) return std::nullopt;
  return policy;
}

int usage(std::string_view text) {
  fmt::print(stderr, "holdfast why: {}\n", text);
  return kExitUsage;
}

std::optional<std::uint64_t> event_id(std::string_view text) {
  std::uint64_t id = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), id);
  if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return id;
}

int explain_guard_event(std::string_view line) {
  const auto event = policy::guard_event_from_json(line);
  if (!event) return usage(event.error().message());
  fmt::print("{}\n\n{}", policy::guard_event_text(*event, policy::Colour::off),
             policy::explain_guard_event(*event));
  return kExitOk;
}

// The policy of the files on the command line, with a warning if it did not decide the event.
DecidingPolicy named_policy(std::vector<policy::Source> sources, std::string_view line,
                            std::uint64_t id) {
  DecidingPolicy named{{std::move(sources), {}}, "", ""};
  const auto event = policy::RecordedEvent::parse(line);
  const std::string digest = event ? event->origin().digest : "";
  if (!digest.empty() && digest != policy::digest_text(policy::text_digest(named.text.sources)))
    named.warning = fmt::format(
        "these files are not the policy that decided event {}; the explanation is by these files",
        id);
  return named;
}

std::string modes_of(const policy::PolicyText& text) {
  std::string modes;
  for (const auto& [profile, mode] : text.modes)
    modes += fmt::format("; profile {} was set to {}", escape(profile),
                         policy::name_of(policy::kModeNames, mode));
  return modes;
}

// What `why` keeps of a file: the line of the event, and the policies.
struct Found {
  std::string line;  // empty: there is no such event
  std::vector<policy::PolicyText> policies;
};

// Ids restart with each boot, so the last event with the id counts. Most lines are not parsed: a line
// without the digits of the id cannot be the event.
Result<Found> find_event(std::uint64_t id, const policy::LineSource& lines) {
  Found found;
  std::set<std::uint64_t> known;
  const std::string digits = std::to_string(id);
  const auto take = [&](const policy::EventLine& line) -> Result<void> {
    if (line.kind == policy::LineKind::policy) {
      auto text = policy::policy_from_line(line.text);
      if (text && known.insert(policy::text_digest(text->sources)).second)
        found.policies.push_back(*std::move(text));
    } else if (line.text.find(digits) != std::string_view::npos) {
      const auto event = policy::RecordedEvent::parse(line.text);
      if (event && event->id() == id) found.line = line.text;
    }
    return {};
  };
  HF_TRY(lines(take));
  return found;
}

int explain_event(std::uint64_t id, const WhyOptions& options, const Found& file) {
  const std::string_view line = file.line;
  if (line.empty()) return usage(fmt::format("{} holds no event {}", escape(options.events), id));
  if (policy::is_guard_event(line)) return explain_guard_event(line);
  const auto recorded_event = policy::RecordedEvent::parse(line);
  if (!recorded_event) return usage(recorded_event.error().message());
  const policy::Compiled recorded = recorded_event->recorded_policy();
  const auto as_recorded = recorded_event->event(recorded);
  if (!as_recorded) return usage(as_recorded.error().message());

  std::vector<policy::Source> sources;
  if (!options.policies.empty()) {
    sources = read_policy_files(options.policies);
    if (sources.empty()) return kExitUsage;
  }
  const auto deciding = sources.empty() ? deciding_policy(line, file.policies, options.events)
                                        : named_policy(std::move(sources), line, id);
  if (!options.json)
    fmt::print("{}\n", policy::event_text(*as_recorded, recorded, policy::Colour::off));
  if (!deciding) {
    std::fflush(stdout);
    fmt::print(stderr, "holdfast why: cannot explain more: {}{}\n", reason_of(deciding.error()),
               "; use --policy FILE to explain it by other files");
    return kExitFailed;
  }
  const auto policy = compiled(deciding->text);
  if (!policy) return kExitUsage;
  const auto event = recorded_event->event(*policy->compiled);
  if (!event) return usage(event.error().message());
  if (!deciding->warning.empty()) {
    std::fflush(stdout);
    fmt::print(stderr, "holdfast why: warning: {}\n", deciding->warning);
  }
  if (options.json) {
    fmt::print("{}\n", policy::explain_json(policy->model, *policy->compiled, event->request));
    return kExitOk;
  }
  fmt::print("\n{}", policy::explain(policy->model, *policy->compiled, event->request));
  if (deciding->from.empty()) return kExitOk;
  const std::string changed = changed_since(deciding->text);
  fmt::print("  policy  {}{}{}\n", escape(deciding->from), modes_of(deciding->text),
             changed.empty() ? "" : "; " + changed);
  return kExitOk;
}

int explain_request(const std::string& text, const WhyOptions& options) {
  if (options.policies.empty()) return usage("a request needs a policy: --policy FILE");
  auto sources = read_policy_files(options.policies);
  if (sources.empty()) return kExitUsage;
  const auto policy = compiled({std::move(sources), {}});
  if (!policy) return kExitUsage;
  const auto request = policy::parse_request(text, *policy->compiled);
  if (!request) return usage(request.error().detail);
  fmt::print("{}", options.json
                       ? policy::explain_json(policy->model, *policy->compiled, *request) + "\n"
                       : policy::explain(policy->model, *policy->compiled, *request));
  return kExitOk;
}

}  // namespace

int why(const WhyOptions& options) {
  // The words of a request may be one argument or several.
  std::string request;
  for (const std::string& word : options.request) request += (request.empty() ? "" : " ") + word;
  const auto id = event_id(request);
  if (!id) return explain_request(request, options);
  const auto file = [&] {
    Progress progress("why", options.progress);
    return read_events(options.events, progress,
                       [&id](const policy::LineSource& lines) { return find_event(*id, lines); });
  }();
  if (!file) return usage(file.error().message() + " (an event's id needs a file: --events FILE)");
  return explain_event(*id, options, *file);
}

}  // namespace holdfast::cli
