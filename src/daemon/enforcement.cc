// SPDX-License-Identifier: Apache-2.0
#include "daemon/enforcement.h"

#include <fmt/core.h>

#include <algorithm>
#include <cerrno>
#include <utility>

#include "backend/decided.h"
#include "base/printable.h"
#include "core/decide.h"
#include "daemon/policy_files.h"
#include "kernel/files/atomic_file.h"
#include "kernel/memory.h"
#include "kernel/process/process.h"
#include "policy/compile.h"

namespace holdfast::daemon {

namespace {

// The largest number of earlier policies. It is reached only if no events are read between changes.
constexpr std::size_t kMaxEarlier = 16;

std::unique_ptr<Archive> make_archive(const Options& options) {
  if (options.lifetime != Lifetime::kept) return std::make_unique<MemoryArchive>();
  return std::make_unique<Generations>(options.state_dir + "/generations");
}

// A policy without names, for events of an unknown generation. They are shown with numbers.
std::shared_ptr<const policy::Compiled> unknown_policy() {
  auto unknown = std::make_shared<policy::Compiled>();
  unknown->profiles.emplace_back();
  unknown->rules.emplace_back();
  unknown->label_values.emplace_back();
  unknown->label_rights.emplace_back();
  unknown->asked_by.emplace_back();
  return unknown;
}

}  // namespace

Enforcement::Enforcement(const Options& options, Sink sink,
                         std::function<void(const std::string&)> log)
    : options_(options),
      sink_(std::move(sink)),
      log_(std::move(log)),
      archive_(make_archive(options)),
      life_(*archive_, {kernel::boottime_ns, kernel::boot_id()}, options.files_live, log_) {}

Result<std::unique_ptr<Enforcement>> Enforcement::start(
    const Options& options, Sink sink, std::function<void(const std::string&)> log) {
  std::unique_ptr<Enforcement> enforcement(
      new Enforcement(options, std::move(sink), std::move(log)));
  HF_TRY(enforcement->begin());
  kernel::trim_memory();
  return enforcement;
}

// A typing mistake must not leave the machine without the policy that it had before a restart, nor
// one bad file without the others.
Result<void> Enforcement::begin() {
  auto loaded = good_files();
  PolicyLife::Files files;
  PolicyLife::Files usable;
  if (loaded) {
    prepared_ = {digest(loaded->sources), loaded->compiled};
    files = std::move(loaded->sources);
  } else if (loaded.error().code == 0) {
    usable = usable_files();
  }
  const auto first = life_.begin(
      std::move(files), std::move(usable),
      [this](const Generation& generation) { return static_cast<bool>(compiled(generation)); });
  if (!first) return std::move(loaded).error();
  if (!loaded)
    log_(loaded.error().code == 0 ? loaded.error().detail : loaded.error().message() + "\n");
  auto attached = attach(*first);
  prepared_.reset();
  if (attached && !loaded) log_bad_files();
  return attached;
}

// What becomes of the bad files. `bad_files_` has the fates of a start with what can be used.
void Enforcement::log_bad_files() {
  if (machine_->adopted() || !life_.begun_with_usable()) {
    for (policy_dirs::BadFile& bad : bad_files_) bad.fate = policy_dirs::Fate::not_live;
    return log_(machine_->adopted() ? std::string("the policy in force stays\n")
                                    : fmt::format("the policy of generation {} is used instead\n",
                                                  life_.begun_from()));
  }
  for (const policy_dirs::BadFile& bad : bad_files_)
    log_(fmt::format("{}: {}\n", escape(bad.path),
                     bad.fate == policy_dirs::Fate::earlier_text
                         ? "has mistakes; its text of before is enforced"
                         : "has mistakes; it is LEFT OUT, and nothing of it is enforced"));
}

Result<void> Enforcement::attach(const Generation& first) {
  HF_TRY_ASSIGN(auto policy, compiled(first));
  auto tables = tables_of(first, *policy);
  const backend::MachineSpec spec = spec_of(*policy, *tables);
  const auto sink = [this](const hf_event& event) { deliver(event); };
  number_ = first.number;
  compiled_ = policy;
  backend::Persistence persistence{options_.pin_dir, options_.guard, {}};
  if (options_.policy_files == PolicyFiles::guarded)
    persistence.guarded_directories = guarded_directories(options_);
  HF_TRY_ASSIGN(machine_, options_.lifetime == Lifetime::transient
                              ? backend::attach_machine(spec, sink)
                              : backend::attach_pinned_machine(spec, persistence, sink));
  if (!machine_->adopted()) {
    use(machine_->generation(), std::move(policy),
        first.modes.empty() ? nullptr : std::move(tables));
    log_incomplete();
    life_.attached(*this);
    return {};
  }
  // Until a change, all events are of the adopted policy.
  const auto found = archive_->load(machine_->generation());
  auto known = found ? compiled(*found) : Error{ENOENT, "", "", ""};
  if (known)
    use(found->number, *known, found->modes.empty() ? nullptr : tables_of(*found, **known));
  else
    use(machine_->generation(), unknown_policy(), nullptr);
  HF_TRY(dispatch());
  life_.adopted(*this);
  return {};
}

void Enforcement::use(std::uint64_t generation, Compiled compiled,
                      std::unique_ptr<hf_tables> tables) {
  number_ = generation;
  compiled_ = std::move(compiled);
  in_other_modes_ = std::move(tables);
}

// Logs what Machine::update() could not do. The policy is live in spite of it.
void Enforcement::log_incomplete() {
  if (const std::string& what = machine_->incomplete(); !what.empty())
    log_(fmt::format("generation {} is live, but {}\n", machine_->generation(), what));
}

// Errors: as compile_sources().
Result<Enforcement::Compiled> Enforcement::compiled(const Generation& generation) {
  const std::uint64_t text = digest(generation.sources);
  if (prepared_ && prepared_->first == text) return prepared_->second;
  if (life_.knows_live() && number_ == life_.live().number && digest(life_.live().sources) == text)
    return compiled_;
  HF_TRY_ASSIGN(auto policy, compile_sources(generation.sources));
  prepared_ = {text, std::move(policy.compiled)};
  return prepared_->second;
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
  spec.warn = [this](const std::string& text) { log_(text + "\n"); };
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

Result<void> Enforcement::make_live(const Generation& next, Lasting lasting) {
  HF_TRY_ASSIGN(auto policy, compiled(next));
  auto tables = tables_of(next, *policy);
  backend::MachineSpec spec = spec_of(*policy, *tables);
  spec.may_be_taken_back = lasting == Lasting::until_confirmed;
  HF_TRY(machine_->update(spec));
  earlier_.emplace(number_, compiled_);
  use(machine_->generation(), std::move(policy), next.modes.empty() ? nullptr : std::move(tables));
  log_incomplete();
  return {};
}

// The new policy is live, so an error of reading events is not an error of the change.
Result<Enforcement::Outcome> Enforcement::changed(Result<Outcome> outcome) {
  prepared_.reset();
  if (outcome && outcome->changed)
    if (auto read = dispatch(); !read) log_(read.error().message() + "\n");
  kernel::trim_memory();  // compiling takes many times the memory of the result
  return outcome;
}

// Machine::update() returns only after all decisions by the old policy have ended. So once the ring
// buffer was empty, earlier policies are not needed any more.
Result<void> Enforcement::dispatch() {
  auto read = machine_->dispatch();
  if (read && machine_->drained()) earlier_.clear();
  return read;
}

std::string Enforcement::profile_name(std::uint64_t generation, std::uint16_t profile) {
  const Compiled policy = policy_of(generation);
  return profile < policy->profiles.size() ? policy->profiles[profile] : std::string();
}

void Enforcement::report_of_container(hf_event event, std::uint64_t generation) {
  event.generation = generation;
  sink_(event, policy_of(generation));
}

void Enforcement::deliver(const hf_event& event) {
  if (event.session == 0) return sink_(event, policy_of(event.generation));
  if (session_sink_) session_sink_(event);
}

// An event must never be shown with the names of another policy. Numbers are better.
Enforcement::Compiled Enforcement::policy_of(std::uint64_t generation) {
  if (const auto found = earlier_.find(generation); found != earlier_.end()) return found->second;
  if (generation == number_) return compiled_;
  const auto kept = archive_->load(generation);
  const auto policy = kept ? compile_sources(kept->sources) : Error{ENOENT, "", "", ""};
  if (earlier_.size() >= kMaxEarlier) earlier_.erase(earlier_.begin());
  return earlier_[generation] = policy ? policy->compiled : unknown_policy();
}

// If the text of the live policy is unknown, nothing is allowed.
int Enforcement::decide(const hf_request& request, const hf_task& actor, std::uint64_t target) {
  const hf_tables* tables = live_tables();
  if (tables == nullptr) return EPERM;
  hf_verdict verdict;
  hf_decide(tables, &request, &verdict);
  hf_event event = backend::decided(request, verdict, actor, number_, kernel::boottime_ns());
  event.target = target;
  const std::uint16_t profile = verdict.profile;
  machine_->report(event, profile < compiled_->profiles.size() ? compiled_->profiles[profile] : "");
  return -hf_enforced_error(&verdict);
}

/* ---- the files ----
 */

// While the returned descriptor is open no process can install files. If the lock cannot be made,
// as on a read-only disk, no process can install files either. Errors: EBUSY files are being
// installed.
Result<Fd> Enforcement::hold_files() const {
  if (options_.lifetime != Lifetime::kept) return Fd();
  auto lock = kernel::lock_file(install_lock(options_), kernel::Lock::shared);
  if (lock) return lock;
  if (lock.error().code == EWOULDBLOCK)
    return Error{EBUSY, "read the policy", "", "files are being installed"};
  return Fd();
}

Result<CheckedFiles> Enforcement::read_files() const {
  HF_TRY_ASSIGN(const auto held, hold_files());
  return check_files(options_.dirs, options_.unenforced);
}

Result<LoadedPolicy> Enforcement::good_files() {
  HF_TRY_ASSIGN(auto files, read_files());
  bad_files_ = policy_dirs::bad_files(files.mistakes, policy_dirs::Fate::not_live);
  if (!files.compiled) return Error{0, "load policy", {}, mistakes_text(files.mistakes)};
  for (const policy::Diagnostic& rule : files.unenforced)
    log_(fmt::format("{}: warning: {}\n", rule.where.place(), rule.message));
  return LoadedPolicy{std::move(files.sources), std::move(files.compiled)};
}

// Bad files of a unit that was live before have their text of then.
PolicyLife::Files Enforcement::usable_files() {
  const auto files = read_files();
  if (!files) return std::nullopt;
  const auto record = archive_->read();
  const auto live = record ? archive_->load(record->now.live) : std::nullopt;
  auto usable = policy_dirs::usable_sources(
      files->units, live ? live->sources : std::vector<policy::Source>(),
      [this](const std::vector<policy::Source>& sources) {
        return check_sources(sources, options_.unenforced).checked;
      });
  bad_files_ = std::move(usable.bad);
  if (usable.sources.empty() || usable.loses_earlier) return std::nullopt;
  return std::move(usable.sources);
}

std::string Enforcement::status_line() const {
  std::string line = fmt::format("policy generation {} is live", number_);
  if (bad_files_.empty()) return line;
  line += bad_files_.size() == 1 ? "; a policy file is not:"
                                 : fmt::format("; {} policy files are not:", bad_files_.size());
  for (const policy_dirs::BadFile& bad : bad_files_) line += " " + escape(bad.path);
  return line;
}

PolicyLife::Files Enforcement::files() const {
  const auto units = policy_dirs::read_units(options_.dirs);
  if (!units || !policy_dirs::refusals(*units).empty()) return std::nullopt;
  return policy_dirs::sources_of(*units);
}

Enforcement::FilesCall Enforcement::files_changed() const {
  if (!hold_files()) return FilesCall::later;
  const PolicyLife::Files now = files();
  if (life_.wants(now)) return FilesCall::reload;
  const bool other = !now || !life_.knows_live() || digest(*now) != digest(life_.live().sources);
  return other && life_.staging() ? FilesCall::wait_for_reload : FilesCall::nothing;
}

/* ---- changes ----
 */

Result<Enforcement::Outcome> Enforcement::reload(std::optional<std::uint64_t> confirm_ms) {
  HF_TRY_ASSIGN(auto loaded, good_files());
  prepared_ = {digest(loaded.sources), std::move(loaded.compiled)};
  // Modes that were set by hand last, but not those of profiles that are gone.
  std::map<std::string, std::uint8_t> modes = live().modes;
  std::erase_if(modes,
                [&](const auto& set) { return !prepared_->second->find_profile(set.first); });
  return changed(life_.reload(std::move(loaded.sources), std::move(modes), confirm_ms));
}

Result<Enforcement::Outcome> Enforcement::rollback() { return changed(life_.rollback()); }

Result<Enforcement::Outcome> Enforcement::set_mode(const std::string& profile,
                                                   std::optional<std::uint8_t> mode) {
  if (profile.empty() || !compiled_->find_profile(profile))
    return Error{ENOENT, "set mode", profile, "no such profile"};
  return changed(life_.set_mode(profile, mode));
}

Result<void> Enforcement::confirm() { return life_.confirm(files()); }

Result<void> Enforcement::stage() { return life_.stage(); }

void Enforcement::tick() {
  if (kernel::boottime_ns() < life_.due_ns()) return;
  life_.tick();
  prepared_.reset();
}

}  // namespace holdfast::daemon
