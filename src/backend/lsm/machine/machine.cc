// SPDX-License-Identifier: Apache-2.0
// The whole machine under one policy: attach, prove, then the policy that was asked for.
#include "backend/machine.h"

#include <algorithm>
#include <cerrno>
#include <optional>
#include <tuple>
#include <utility>

#include "backend/lsm/machine/cgroup_paths.h"
#include "backend/lsm/machine/cgroup_self_test.h"
#include "backend/lsm/machine/instance.h"
#include "backend/lsm/machine/machine_guard.h"
#include "backend/lsm/machine/machine_labels.h"
#include "backend/lsm/machine/machine_programs.h"
#include "backend/lsm/machine/sessions.h"
#include "kernel/bpf/bpf_pin.h"
#include "kernel/cgroup/cgroup.h"
#include "label/access.h"
#include "label/stable_copy.h"

namespace holdfast::backend {

namespace {

using lsm::MachinePrograms;

// The guard is part of the build: another one is replaced with the rest, also one that has not all
// its programs attached.
std::uint64_t build_digest(lsm::GuardFiles files) {
  const std::uint64_t digest = MachinePrograms::digest() ^ lsm::MachineGuard::digest();
  return files == lsm::GuardFiles::yes ? ~digest : digest;
}

lsm::GuardFiles files_of(const Persistence& persistence) {
  return persistence.guarded_directories.empty() ? lsm::GuardFiles::no : lsm::GuardFiles::yes;
}

class LsmMachine final : public Machine {
 public:
  explicit LsmMachine(EventSink sink) : sink_(std::move(sink)) {}

  // `before`: the pins of the programs that these replace; empty: there are none.
  Result<void> attach(const MachineSpec& spec, const std::string& before) {
    HF_TRY_ASSIGN(std::ignore, kernel::open_cgroup_root(spec.cgroup_root));
    cgroup_root_ = spec.cgroup_root;
    HF_TRY_ASSIGN(programs_, MachinePrograms::create(sink_));
    HF_TRY(open_labels());
    if (!before.empty()) HF_TRY(wrap(copy_labels(before), "learn labels"));
    // Programs that are attached need a live policy. No program is attached yet.
    const auto nothing = no_rules();
    HF_TRY(programs_->publish({nothing.get(), {}}));
    HF_TRY_ASSIGN(sessions_, lsm::MachineSessions::find(*programs_));
    HF_TRY(update(spec));
    if (before.empty()) return {};
    // The programs of `before` hold until they are removed, after this.
    HF_TRY(sessions_->take_over(
        before, [&](lsm::Families needed) { return attach_families(needed, spec.cgroup_root); }));
    if ((programs_->attached() & lsm::kTracking) != 0) HF_TRY(programs_->take_tracked(before));
    if ((programs_->attached() & lsm::kBpf) == 0) return {};
    return programs_->take_bpf_objects(before);
  }

  // Takes over what another process left, whose policy stays.
  Result<void> adopt(const std::string& directory, const std::string& cgroup_root,
                     const Persistence& persistence, lsm::GuardFiles files) {
    HF_TRY_ASSIGN(programs_, MachinePrograms::adopt(directory, sink_));
    HF_TRY(open_labels());
    if (programs_->labels_were_lost()) HF_TRY(wrap(learn_labels(), "learn labels"));
    HF_TRY_ASSIGN(generation_, programs_->live_generation());
    HF_TRY_ASSIGN(sessions_, lsm::MachineSessions::find(*programs_));
    cgroup_root_ = cgroup_root;
    adopted_ = true;
    directory_ = directory;
    if (lsm::MachineGuard::is_in(directory)) {
      HF_TRY_ASSIGN(guard_, lsm::MachineGuard::adopt(directory));
      guards_files_ = files == lsm::GuardFiles::yes;
      HF_TRY(guard_->serve());
      HF_TRY(guard_->protect_files(persistence.guarded_directories));
    }
    programs_->sweep(generation_);
    if (programs_->attached() != 0) HF_TRY(programs_->prove_calls());
    if ((programs_->attached() & lsm::kMoves) == 0) return {};
    return lsm::prove_moves_refused(*programs_, cgroup_root);
  }

  // The guard covers what is pinned when protect() is called, so once more for the last pin.
  Result<void> pin(const std::string& directory, const Persistence& persistence) {
    const lsm::GuardFiles files = files_of(persistence);
    directory_ = directory;
    HF_TRY(programs_->pin(directory));
    if (persistence.guard == Guard::off)
      return lsm::complete_instance(directory, build_digest(files));
    HF_TRY_ASSIGN(guard_, wrap(lsm::MachineGuard::attach(files, programs_->map_fd("session_tasks")),
                               "guard"));
    HF_TRY(guard_->pin(directory));
    HF_TRY(guard_->protect(directory));
    guards_files_ = files == lsm::GuardFiles::yes;
    HF_TRY(guard_->protect_files(persistence.guarded_directories));
    HF_TRY(lsm::complete_instance(directory, build_digest(files)));
    return guard_->protect(directory);
  }

  [[nodiscard]] bool guards_files() const override { return guards_files_; }

  [[nodiscard]] Result<std::vector<hf_guard_event>> take_guard_events() override {
    std::vector<hf_guard_event> all = programs_->take_guard_events();
    if (!guard_) return all;
    HF_TRY_ASSIGN(auto refusals, guard_->take());
    for (hf_guard_event& refusal : refusals) refusal.id = programs_->next_event_id();
    all.insert(all.end(), refusals.begin(), refusals.end());
    return all;
  }
  [[nodiscard]] bool sealed() const override { return guard_ && guard_->sealed(); }

  void report(const hf_event& event, const std::string& profile) override {
    programs_->report(event, profile);
  }

  // Held as long as this process serves the pins.
  void hold(Fd lock) { lock_ = std::move(lock); }

  [[nodiscard]] std::uint64_t generation() const override { return generation_; }
  [[nodiscard]] bool adopted() const override { return adopted_; }
  [[nodiscard]] Result<Labels> labels_of(int socket_fd) const override {
    return labels_->labels_of(socket_fd);
  }
  Result<void> set_labels(int socket_fd, const Labels& labels) override {
    return labels_->set_labels(socket_fd, labels);
  }

  [[nodiscard]] std::vector<int> poll_fds() const override {
    std::vector<int> fds = {programs_->poll_fd()};
    if (guard_) fds.push_back(guard_->poll_fd());
    return fds;
  }

  Result<void> dispatch() override { return programs_->dispatch(); }
  [[nodiscard]] bool drained() const override { return programs_->drained(); }

  Result<void> update(const MachineSpec& spec) override {
    const std::uint64_t generation =
        std::max<std::uint64_t>(spec.tables->generation, generation_ + 1);
    HF_TRY_ASSIGN(auto paths, lsm::build_cgroup_paths(spec.bindings, generation));
    HF_TRY_ASSIGN(auto marks, lsm::mark_entries(spec.marks, generation));
    HF_TRY_ASSIGN(auto sockets, lsm::socket_policy(spec, generation, labels_->key()));
    auto tables = std::make_unique<hf_tables>(*spec.tables);
    tables->generation = generation;
    HF_TRY(attach_families(lsm::families_of(*tables, sockets, !marks.empty()), spec.cgroup_root));
    // What is marked is learned before the store, since that can fail: entries are by the mark, not
    // by the generation, so the policy in force does not see them. And once more after it, since
    // what was marked in between went unseen.
    HF_TRY(programs_->learn_marked_cgroups(spec.cgroup_root, marks, spec.warn));
    HF_TRY(programs_->publish(
        {tables.get(), std::move(paths), std::move(marks), std::move(sockets), spec.profiles}));
    if (!spec.may_be_taken_back) programs_->detach_unneeded();
    generation_ = generation;
    incomplete_.clear();
    if (const auto learned = programs_->learn_marks(spec.cgroup_root, spec.warn); !learned)
      incomplete_ = "not every cgroup with one of its marks is known: " + learned.error().message();
    return {};
  }

  void settle() override { programs_->detach_unneeded(); }

  // The programs stay attached after the last session, until the policy changes: attaching them
  // takes as long as many sessions.
  Result<void> prepare_session(const SessionOpening& opening) override {
    HF_TRY_ASSIGN(prepared_, session_policy(opening));
    return {};
  }

  Result<std::uint64_t> open_session(const SessionOpening& opening) override {
    HF_TRY_ASSIGN(auto policy, session_policy(opening));
    return sessions_->open(std::move(policy), opening);
  }
  [[nodiscard]] std::vector<std::uint64_t> sessions() const override { return sessions_->ids(); }
  [[nodiscard]] Result<SessionCounts> session(std::uint64_t id) const override {
    return sessions_->counts(id);
  }
  Result<void> close_session(std::uint64_t id) override { return sessions_->close(id); }
  [[nodiscard]] Result<std::vector<Membership>> sessions_of(pid_t tid) override {
    return sessions_->of_task(tid);
  }
  [[nodiscard]] int decide_label(const LabelChange& change) override {
    return sessions_->decide_label(change, labels_->key(), sink_);
  }

  [[nodiscard]] const std::string& incomplete() const override { return incomplete_; }

  [[nodiscard]] Result<MachineStats> stats() const override {
    MachineStats stats;
    HF_TRY_ASSIGN(stats.map_usage, programs_->map_usage());
    stats.decisions = programs_->decisions();
    sessions_->count_into(stats);
    stats.runs = lsm::program_runs(directory_);
    stats.refusals.resize(HF_GUARD_COUNT);
    if (guard_) {
      stats.refusals = guard_->refused();
      stats.refusals_lost = guard_->lost();
    }
    const auto refused = programs_->refused();
    for (std::size_t what = 0; what < refused.size(); what++) stats.refusals[what] += refused[what];
    return stats;
  }

  // What went wrong without being a decision is an error all the same.
  [[nodiscard]] Totals totals() const override {
    Totals totals = programs_->totals();
    totals.errors += programs_->faults();
    return totals;
  }

 private:
  // A policy that decides nothing.
  static std::unique_ptr<hf_tables> no_rules() {
    auto tables = std::make_unique<hf_tables>();
    tables->magic = HF_TABLES_MAGIC;
    tables->version = HF_ABI_VERSION;
    tables->length = sizeof(hf_tables);
    tables->profile_count = 1;
    for (hf_profile& profile : tables->profiles) profile.ns_create = HF_NS_ALL;
    return tables;
  }

  Result<void> open_labels() {
    HF_TRY_ASSIGN(auto labels, lsm::MachineLabels::open(programs_->label_maps()));
    labels_.emplace(std::move(labels));
    return {};
  }

  // The labels that the programs of `before` keep, on kernels whose sockets have none.
  Result<void> copy_labels(const std::string& before) {
    if (programs_->label_maps().kernel_labels) return {};
    HF_TRY_ASSIGN(const auto store, MachinePrograms::open_label_store(before));
    return labels_->learn(store.get());
  }

  // A label that was on its way while the programs were attached may be recorded nowhere, and then
  // no socket's labels are known. After a look at all of them they are.
  Result<void> learn_labels() {
    for (unsigned round = 0; round < label::kMaxCopyRounds; round++) {
      programs_->forget_lost_labels();
      HF_TRY(labels_->learn(-1));
      if (!programs_->labels_were_lost()) break;
    }
    return {};
  }

  Result<std::shared_ptr<const lsm::SessionPolicy>> session_policy(const SessionOpening& opening) {
    // What a member of a session could switch off does not hold it.
    if (!guard_) return Error{ENOSYS, "open session", {}, "holdfastd has no guard"};
    HF_TRY_ASSIGN(auto policy, sessions_->prepare(*opening.policy, opening.key, labels_->key()));
    // Before anything is attached.
    if (opening.user) HF_TRY(sessions_->admits(*policy, opening));
    HF_TRY(attach_families(policy->needs.families | lsm::kSessions, cgroup_root_));
    return policy;
  }

  // Attaches what a policy needs beside what is attached, and proves and teaches it, before that
  // policy is live. On error the families that were attached stay, and no other.
  Result<void> attach_families(lsm::Families needed, const std::string& cgroup_root) {
    const lsm::Families added = needed & ~programs_->attached();
    if (added == 0) return {};
    HF_TRY(programs_->attach(added));
    auto done = prepare_families(added, cgroup_root);
    if (!done) programs_->detach(added);
    return done;
  }

  Result<void> prepare_families(lsm::Families added, const std::string& cgroup_root) {
    if (guard_) {
      HF_TRY(guard_->protect(directory_));
      // Until then a task could have removed a pin.
      HF_TRY(programs_->check_pins());
    }
    HF_TRY(programs_->prove_calls());
    if ((added & lsm::kMoves) != 0) {
      HF_TRY(lsm::prove_moves_refused(*programs_, cgroup_root));
      HF_TRY(programs_->learn_delegations(cgroup_root));
    }
    if ((added & lsm::kLabels) == 0) return {};
    HF_TRY(open_labels());  // with a new key, since the maps were emptied
    HF_TRY(wrap(labels_->prove(), "learn labels"));
    return wrap(learn_labels(), "learn labels");
  }

  EventSink sink_;
  std::unique_ptr<MachinePrograms> programs_;
  std::optional<lsm::MachineLabels> labels_;        // borrows from programs_
  std::unique_ptr<lsm::MachineSessions> sessions_;  // borrows from programs_
  // The policy of the last prepare_session(), so that open_session() finds it.
  std::shared_ptr<const lsm::SessionPolicy> prepared_;
  std::unique_ptr<lsm::MachineGuard> guard_;
  std::uint64_t generation_ = 0;
  std::string incomplete_;
  bool adopted_ = false;
  bool guards_files_ = false;
  std::string directory_;  // of its pins; empty: none
  std::string cgroup_root_;
  Fd lock_;
};

Result<std::unique_ptr<LsmMachine>> attach_new(const MachineSpec& spec, const std::string& pins,
                                               std::uint32_t before, const Persistence& persistence,
                                               EventSink sink) {
  const std::string directory = lsm::instance_path(pins, before + 1);
  auto machine = std::make_unique<LsmMachine>(std::move(sink));
  HF_TRY(wrap(machine->attach(spec, before == 0 ? std::string() : lsm::instance_path(pins, before)),
              "attach"));
  HF_TRY(kernel::make_pin_directory(directory));
  HF_TRY(machine->pin(directory, persistence));
  return machine;
}

// The guard of what is in force; null when it has none.
Result<std::unique_ptr<lsm::MachineGuard>> guard_in_force(const std::string& pin_directory) {
  HF_TRY_ASSIGN(const auto usable, kernel::is_pin_directory(pin_directory));
  HF_TRY_ASSIGN(const auto found,
                usable ? lsm::newest_complete(pin_directory) : Result<std::uint32_t>(0u));
  if (found == 0) return std::unique_ptr<lsm::MachineGuard>();
  const std::string directory = lsm::instance_path(pin_directory, found);
  if (!lsm::MachineGuard::is_in(directory)) return std::unique_ptr<lsm::MachineGuard>();
  return lsm::MachineGuard::adopt(directory);
}

Result<bool> is_sealed(const std::string& pin_directory) {
  HF_TRY_ASSIGN(const auto guard, guard_in_force(pin_directory));
  return guard && guard->sealed();
}

// What programs with this digest guard. Nothing: they are of another build.
std::optional<lsm::GuardFiles> guarded_files(std::uint64_t object) {
  for (const lsm::GuardFiles files : {lsm::GuardFiles::no, lsm::GuardFiles::yes})
    if (object == build_digest(files)) return files;
  return std::nullopt;
}

Result<std::unique_ptr<LsmMachine>> adopt_or_replace(const MachineSpec& spec,
                                                     Persistence persistence,
                                                     const std::optional<lsm::Instance>& found,
                                                     EventSink sink) {
  const std::string& pins = persistence.pin_directory;
  if (!found) return attach_new(spec, pins, 0, persistence, std::move(sink));
  const std::string directory = lsm::instance_path(pins, found->number);
  const auto guards = guarded_files(found->layout.object);
  if (!guards) return attach_new(spec, pins, found->number, persistence, std::move(sink));
  if (*guards != files_of(persistence)) {
    HF_TRY_ASSIGN(const auto sealed, is_sealed(pins));
    // Who restarts the daemon with other options has not shown the token.
    if (!sealed) return attach_new(spec, pins, found->number, persistence, std::move(sink));
    persistence.guarded_directories.clear();
  }
  auto machine = std::make_unique<LsmMachine>(std::move(sink));
  HF_TRY(machine->adopt(directory, spec.cgroup_root, persistence, *guards));
  return machine;
}

}  // namespace

Result<std::unique_ptr<Machine>> attach_pinned_machine(const MachineSpec& spec,
                                                       const Persistence& persistence,
                                                       EventSink sink) {
  const std::string& pins = persistence.pin_directory;
  HF_TRY(kernel::make_pin_directory(pins));
  HF_TRY_ASSIGN(std::ignore, kernel::is_pin_directory(pins));
  HF_TRY_ASSIGN(auto lock, lsm::lock_instances(pins));
  HF_TRY_ASSIGN(const auto found, lsm::newest_instance(pins));
  HF_TRY_ASSIGN(auto machine, adopt_or_replace(spec, persistence, found, std::move(sink)));
  const std::uint32_t live = !found ? 1 : found->number + (machine->adopted() ? 0u : 1u);
  // Sealed, no pins go; what another one left half made there refuses more, not less.
  if (!machine->sealed()) HF_TRY(lsm::remove_instances_but(pins, live));
  machine->hold(std::move(lock));
  return std::unique_ptr<Machine>(std::move(machine));
}

namespace {

class LsmSeal final : public Seal {
 public:
  explicit LsmSeal(std::unique_ptr<lsm::MachineGuard> guard) : guard_(std::move(guard)) {}
  [[nodiscard]] bool is_on() const override { return guard_->sealed(); }
  [[nodiscard]] std::string secret() const override { return is_on() ? guard_->secret() : ""; }
  Result<void> put_on(const std::string& secret, const SealedFiles& files) override {
    return guard_->seal(secret, files);
  }
  Result<void> take_off() override { return guard_->unseal(); }

 private:
  std::unique_ptr<lsm::MachineGuard> guard_;
};

}  // namespace

Result<std::unique_ptr<Seal>> Seal::open(const std::string& pin_directory) {
  HF_TRY_ASSIGN(auto guard, guard_in_force(pin_directory));
  if (!guard) return std::unique_ptr<Seal>();
  return std::unique_ptr<Seal>(std::make_unique<LsmSeal>(std::move(guard)));
}

Result<std::size_t> stop_machine(const std::string& pin_directory) {
  HF_TRY_ASSIGN(const auto usable, kernel::is_pin_directory(pin_directory));
  if (!usable) return std::size_t{0};
  HF_TRY_ASSIGN(const auto names, kernel::directory_entries(pin_directory));
  if (names.empty()) return std::size_t{0};
  HF_TRY_ASSIGN(const auto lock, lsm::lock_instances(pin_directory));
  HF_TRY_ASSIGN(const auto sealed, is_sealed(pin_directory));
  if (sealed) return Error{EPERM, "stop", pin_directory, "it is sealed"};
  const std::size_t count = names.size();
  HF_TRY(lsm::remove_instances_but(pin_directory, 0));
  return count;
}

Result<std::unique_ptr<Machine>> attach_machine(const MachineSpec& spec, EventSink sink) {
  auto machine = std::make_unique<LsmMachine>(std::move(sink));
  HF_TRY(wrap(machine->attach(spec, {}), "attach"));
  return std::unique_ptr<Machine>(std::move(machine));
}

}  // namespace holdfast::backend
