// SPDX-License-Identifier: Apache-2.0
#include "daemon/enforcement.h"

#include <fmt/core.h>

#include <algorithm>
#include <cerrno>
#include <utility>

#include "backend/decided.h"
#include "core/decide.h"
#include "daemon/policy_files.h"
#include "daemon/unheld.h"
#include "kernel/live_files.h"
#include "kernel/process.h"
#include "policy/compile.h"

namespace holdfast::daemon {

namespace {

constexpr std::uint64_t kNsPerMs = 1000000;
constexpr std::size_t kMostEarlier =
    16;  // policies; more only when nothing is read while they change

// The rules that nobody would hold, as diagnostics. Empty: none, or they are accepted.
std::string refused_rules(const policy::Compiled& policy, const Options& options,
                          const std::function<void(const std::string&)>& said) {
  std::string text;
  for (const UnheldRule& rule : unheld_rules(policy))
    text +=
        fmt::format("{}: {}: not enforced: {} ({})\n", rule.where.place(),
                    options.unheld == Unheld::refuse ? "error" : "warning", rule.text, rule.why);
  if (text.empty()) return text;
  if (options.unheld == Unheld::refuse)
    return text + "rules that nobody would enforce are refused (--allow-unenforced accepts them)\n";
  said(text);
  return "";
}

// Of an event whose generation nobody knows: it has its numbers, and no names.
std::shared_ptr<const policy::Compiled> unknown_policy() {
  auto unknown = std::make_shared<policy::Compiled>();
  unknown->profiles.emplace_back();
  unknown->rules.emplace_back();
  unknown->label_values.emplace_back();
  unknown->label_rights.emplace_back();
  return unknown;
}

}  // namespace

Enforcement::Enforcement(const Options& options, Sink sink,
                         std::function<void(const std::string&)> said)
    : options_(options),
      sink_(std::move(sink)),
      said_(std::move(said)),
      generations_(options.state_dir + "/generations") {}

Result<std::unique_ptr<Enforcement>> Enforcement::start(
    const Options& options, Sink sink, std::function<void(const std::string&)> said) {
  std::unique_ptr<Enforcement> enforcement(
      new Enforcement(options, std::move(sink), std::move(said)));
  if (auto begun = enforcement->begin(); !begun) return std::move(begun).error();
  kernel::trim_memory();
  return enforcement;
}

// An administrator's typing mistake must not leave a machine without the policy it had before it
// was restarted.
Result<LoadedPolicy> Enforcement::first_policy(bool& files_are_good) {
  auto loaded = load_policy(options_.dirs);
  files_are_good = static_cast<bool>(loaded);
  std::string mistakes =
      loaded ? refused_rules(*loaded->compiled, options_, said_) : loaded.error().detail;
  if (loaded && mistakes.empty()) return loaded;
  if (!loaded && loaded.error().code != 0) mistakes = loaded.error().message() + "\n";
  files_are_good = false;
  const auto kept = options_.lifetime == Lifetime::kept ? generations_.newest() : std::nullopt;
  if (!kept)
    return loaded ? Error{0, "load policy", {}, std::move(mistakes)} : std::move(loaded).error();
  auto last = compile_sources(kept->sources);
  if (!last) return Error{0, "load policy", {}, std::move(mistakes)};
  said_(mistakes + fmt::format("the policy of generation {} is used instead\n", kept->number));
  return last;
}

Result<void> Enforcement::begin() {
  bool files_are_good = true;
  auto policy = first_policy(files_are_good);
  if (!policy) return std::move(policy).error();
  if (options_.lifetime == Lifetime::kept) return begin_kept(*policy, files_are_good);
  live_.number = 1;
  live_.sources = std::move(policy->sources);
  compiled_ = std::move(policy->compiled);
  const auto tables = tables_of(live_, *compiled_);
  auto machine = backend::attach_machine(spec_of(*compiled_, *tables),
                                         [this](const hf_event& event) { deliver(event); });
  if (!machine) return std::move(machine).error();
  machine_ = *std::move(machine);
  return {};
}

// What is adopted may be another policy than the files': then its events come first, and the files
// after. Files that were turned away by a rollback stay away until they change.
Result<void> Enforcement::begin_kept(const LoadedPolicy& policy, bool files_are_good) {
  const auto newest = generations_.newest();
  Generation first;
  first.number = newest ? newest->number + 1 : 1;
  first.previous = newest ? newest->number : 0;
  first.sources = policy.sources;
  live_ = first;
  compiled_ = policy.compiled;
  const auto tables = tables_of(first, *policy.compiled);
  backend::Keeping keeping{options_.pin_dir, options_.guard, {}};
  if (options_.policy_files == PolicyFiles::guarded)
    keeping.guarded_directories = guarded_directories(options_);
  auto machine = backend::keep_machine(spec_of(*policy.compiled, *tables), keeping,
                                       [this](const hf_event& event) { deliver(event); });
  if (!machine) return std::move(machine).error();
  machine_ = *std::move(machine);
  if (!machine_->adopted()) {
    live_.number = machine_->generation();
    keep(live_);
    return {};
  }
  const auto found = generations_.load(machine_->generation());
  auto compiled = found ? compile_sources(found->sources) : Error{ENOENT, "", "", ""};
  live_.number = machine_->generation();
  if (!compiled) {
    earlier_[live_.number] = unknown_policy();
    said_(
        fmt::format("the text of generation {}, which is in force, is not known\n", live_.number));
  } else {
    live_ = *found;
    compiled_ = compiled->compiled;
  }
  if (auto read = dispatch(); !read) return read;
  const bool same = compiled && (digest(live_.sources) == digest(first.sources) ||
                                 live_.instead_of == digest(first.sources));
  if (same || !files_are_good) return {};
  if (machine_->sealed()) {
    said_("sealed: the policy in force stays although the files are another\n");
    return {};
  }
  auto published = publish(std::move(first), policy.compiled);
  return published ? Result<void>() : Result<void>(std::move(published).error());
}

std::unique_ptr<hf_tables> Enforcement::tables_of(const Generation& generation,
                                                  const policy::Compiled& compiled) const {
  auto tables = std::make_unique<hf_tables>(*compiled.tables);
  tables->generation = generation.number;
  for (const auto& [name, mode] : generation.modes)
    if (const auto profile = compiled.find_profile(name))
      policy::set_profile_mode(*tables, *profile, mode);
  return tables;
}

backend::MachineSpec Enforcement::spec_of(const policy::Compiled& compiled,
                                          const hf_tables& tables) const {
  backend::MachineSpec spec;
  spec.tables = &tables;
  spec.cgroup_root = options_.cgroup_root;
  for (const policy::Binding& binding : compiled.bindings)
    spec.bindings.push_back({binding.cgroup, binding.profile});
  spec.profiles = compiled.profiles;
  for (const policy::Mark& mark : compiled.marks) spec.marks.push_back({mark.name, mark.profile});
  spec.label_names = compiled.label_names;
  spec.label_values = compiled.label_values;
  for (const policy::LabelRights& rights : compiled.label_rights)
    spec.may_set.push_back(rights.set);
  return spec;
}

// Its text is on disk before it is live, so that whoever finds it in force can explain it.
Result<std::uint64_t> Enforcement::publish(Generation next, Compiled compiled) {
  if (machine_->sealed())
    return Error{EPERM, "change the policy", "", "it is sealed: holdfastd --unseal"};
  next.number = machine_->generation() + 1;
  // Going back from a policy that was made live twice is going back to the one before both.
  const bool again = digest(next.sources) == digest(live_.sources) && next.modes == live_.modes;
  next.previous = again ? live_.previous : live_.number;
  const auto tables = tables_of(next, *compiled);
  keep(next);
  if (auto live = machine_->update(spec_of(*compiled, *tables)); !live)
    return std::move(live).error();
  before_ = std::exchange(live_, std::move(next));
  earlier_.emplace(before_.number, std::exchange(compiled_, std::move(compiled)));
  if (auto read = dispatch(); !read) return std::move(read).error();
  kernel::trim_memory();  // reading a policy takes many times what is kept of it
  return live_.number;
}

void Enforcement::keep(const Generation& generation) {
  if (options_.lifetime != Lifetime::kept) return;
  if (auto saved = generations_.save(generation); !saved)
    said_(fmt::format("{}: a restart will not know this policy\n", saved.error().message()));
}

// Whoever swaps one policy for the next waits for the decisions by the first; so once all there is
// was read, the first is not needed any more.
Result<void> Enforcement::dispatch() {
  auto read = machine_->dispatch();
  if (read && machine_->drained()) earlier_.clear();
  return read;
}

void Enforcement::deliver(const hf_event& event) { sink_(event, policy_of(event.generation)); }

// A policy that is told in the words of another one would be worse than one that is told in
// numbers.
Enforcement::Compiled Enforcement::policy_of(std::uint64_t generation) {
  if (const auto found = earlier_.find(generation); found != earlier_.end()) return found->second;
  if (generation == live_.number) return compiled_;
  const auto kept =
      options_.lifetime == Lifetime::kept ? generations_.load(generation) : std::nullopt;
  const auto policy = kept ? compile_sources(kept->sources) : Error{ENOENT, "", "", ""};
  if (earlier_.size() >= kMostEarlier) earlier_.erase(earlier_.begin());
  return earlier_[generation] = policy ? policy->compiled : unknown_policy();
}

int Enforcement::decide(const hf_request& request, const hf_task& actor, std::uint64_t target) {
  const auto changed = live_.modes.empty() ? nullptr : tables_of(live_, *compiled_);
  hf_verdict verdict;
  hf_decide(changed ? changed.get() : compiled_->tables.get(), &request, &verdict);
  hf_event event = backend::decided(request, verdict, actor, live_.number, kernel::boottime_ns());
  event.target = target;
  const std::uint16_t profile = verdict.profile;
  machine_->report(event, profile < compiled_->profiles.size() ? compiled_->profiles[profile] : "");
  return -hf_enforced_error(&verdict);
}

Result<std::uint64_t> Enforcement::reload(std::optional<std::uint64_t> confirm_ms) {
  auto loaded = load_policy(options_.dirs);
  if (!loaded) return std::move(loaded).error();
  std::string refused = refused_rules(*loaded->compiled, options_, said_);
  if (!refused.empty()) return Error{0, "load policy", {}, std::move(refused)};
  Generation next;
  next.sources = std::move(loaded->sources);
  if (confirm_ms) next.confirm_by = kernel::boottime_ns() + *confirm_ms * kNsPerMs;
  return publish(std::move(next), std::move(loaded->compiled));
}

bool Enforcement::files_changed() const {
  const auto sources = read_policy(options_.dirs);
  if (!sources) return true;
  const std::uint64_t now = digest(*sources);
  return now != digest(live_.sources) && now != live_.instead_of;
}

Result<std::uint64_t> Enforcement::rollback() {
  const Error unknown = {ENOENT, "roll back", "", "the policy before this one is not known"};
  std::optional<Generation> back;
  if (before_.number == live_.previous)
    back = before_;
  else
    back = generations_.load(live_.previous);
  if (!back || live_.previous == 0) return unknown;
  auto compiled = compile_sources(back->sources);
  if (!compiled) return std::move(compiled).error();
  back->confirm_by = 0;
  back->instead_of = digest(live_.sources);
  return publish(*std::move(back), std::move(compiled->compiled));
}

Result<std::uint64_t> Enforcement::set_mode(const std::string& profile,
                                            std::optional<std::uint8_t> mode) {
  if (profile.empty() || !compiled_->find_profile(profile))
    return Error{ENOENT, "set mode", profile, "no such profile"};
  Generation next = live_;
  if (mode)
    next.modes[profile] = *mode;
  else
    next.modes.erase(profile);
  return publish(std::move(next), compiled_);
}

Result<void> Enforcement::confirm() {
  if (live_.confirm_by == 0) return Error{EINVAL, "confirm", "", "nothing waits to be confirmed"};
  live_.confirm_by = 0;
  keep(live_);
  return {};
}

int Enforcement::timeout_ms() const {
  if (live_.confirm_by == 0) return -1;
  const std::uint64_t now = kernel::boottime_ns();
  if (now >= live_.confirm_by) return 0;
  constexpr std::uint64_t kMostMs = 3'600'000;
  return static_cast<int>(std::min((live_.confirm_by - now) / kNsPerMs + 1, kMostMs));
}

void Enforcement::tick() {
  if (timeout_ms() != 0) return;
  auto back = rollback();
  live_.confirm_by = 0;
  said_(back
            ? fmt::format("not confirmed in time: generation {} is the policy from before\n", *back)
            : fmt::format("not confirmed in time, but {}\n", back.error().message()));
}

}  // namespace holdfast::daemon
