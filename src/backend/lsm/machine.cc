// SPDX-License-Identifier: Apache-2.0
// The whole machine under one policy: attach, prove, then the policy that was asked for.
#include "backend/machine.h"

#include <algorithm>
#include <cerrno>
#include <utility>

#include "backend/lsm/cgroup_canary.h"
#include "backend/lsm/cgroup_hooks.h"
#include "backend/lsm/cgroup_paths.h"
#include "kernel/cgroup.h"

namespace holdfast::backend {

namespace {

using lsm::CgroupCanary;
using lsm::CgroupHooks;

class LsmMachine final : public Machine {
 public:
  explicit LsmMachine(EventSink sink) : sink_(std::move(sink)) {}

  Result<void> attach(const MachineSpec& spec) {
    auto root = kernel::open_cgroup_root(spec.cgroup_root);
    if (!root) return std::move(root).error();
    auto hooks = CgroupHooks::load([this](const hf_event& event) { deliver(event); });
    if (!hooks) return std::move(hooks).error();
    cgroups_ = *std::move(hooks);
    if (auto proven = attach_and_prove(spec.cgroup_root); !proven) return proven;
    if (auto learned = cgroups_->learn_delegations(spec.cgroup_root); !learned) return learned;
    return update(spec);
  }

  [[nodiscard]] std::vector<int> poll_fds() const override { return {cgroups_->poll_fd()}; }

  Result<void> dispatch() override { return cgroups_->dispatch(); }

  Result<void> update(const MachineSpec& spec) override {
    if (!spec.marks.empty())
      return Error{ENOTSUP, "attach policy", spec.marks.front().name,
                   "marks are not enforced by this build"};
    const std::uint64_t generation =
        std::max<std::uint64_t>(spec.tables->generation, generation_ + 1);
    auto paths = lsm::build_cgroup_paths(spec.bindings, generation);
    if (!paths) return std::move(paths).error();
    auto tables = std::make_unique<hf_tables>(*spec.tables);
    tables->generation = generation;
    if (auto live = cgroups_->publish(*tables, *std::move(paths)); !live) return live;
    generation_ = generation;
    return {};
  }

  // Without the canary's own. A move that the kernel allowed unasked is an error, though not a
  // refusal.
  [[nodiscard]] Totals totals() const override {
    Totals totals = cgroups_->totals();
    totals.denied -= canary_denied_;
    totals.errors += cgroups_->unasked();
    return totals;
  }

 private:
  void deliver(const hf_event& event) {
    if (canary_)
      canary_->see(event);
    else
      sink_(event);
  }

  // Generation 0 is the canary's, and live before anything is attached: nobody else is refused.
  Result<void> attach_and_prove(const std::string& cgroup_root) {
    auto canary = CgroupCanary::create(cgroup_root);
    if (!canary) return std::move(canary).error();
    canary_ = *std::move(canary);
    auto paths = lsm::build_cgroup_paths(canary_->spec().bindings, 0);
    if (!paths) return std::move(paths).error();
    if (auto live = cgroups_->publish(*canary_->spec().tables, *std::move(paths)); !live)
      return live;
    if (auto attached = cgroups_->attach(); !attached) return attached;
    if (auto refused = canary_->attempt(); !refused) return refused;
    if (auto read = cgroups_->dispatch(); !read) return read;
    if (auto seen = canary_->conclude(); !seen) return seen;
    canary_.reset();
    canary_denied_ = 2;  // one by each way
    return {};
  }

  EventSink sink_;
  std::unique_ptr<CgroupCanary> canary_;  // only while it sings
  std::unique_ptr<CgroupHooks> cgroups_;
  std::uint64_t generation_ = 0;
  std::uint64_t canary_denied_ = 0;
};

}  // namespace

std::vector<Promise> machine_promises() {
  constexpr auto enforced = Strength::enforced;
  constexpr auto none = Strength::none;
  const std::string for_a_run = "enforced for a run, not yet for the whole machine";
  const std::string not_yet = "not enforced for the whole machine by this version";
  return {
      {RuleKind::namespaces_create, none, for_a_run},
      {RuleKind::namespaces_enter, none, for_a_run},
      {RuleKind::namespaces_visitors, none, for_a_run},
      {RuleKind::trace, none, not_yet},
      {RuleKind::cgroups_leave, enforced, {}},
      {RuleKind::cgroups_join, enforced, {}},
      {RuleKind::cgroups_inside, enforced, {}},
      {RuleKind::mark, none, not_yet},
      {RuleKind::socket, none, not_yet},
      {RuleKind::label, none, not_yet},
      {RuleKind::bpf_delegate, none, not_yet},
  };
}

Result<std::unique_ptr<Machine>> attach_machine(const MachineSpec& spec, EventSink sink) {
  auto machine = std::make_unique<LsmMachine>(std::move(sink));
  if (auto attached = machine->attach(spec); !attached)
    return wrap(std::move(attached).error(), "attach");
  return std::unique_ptr<Machine>(std::move(machine));
}

}  // namespace holdfast::backend
