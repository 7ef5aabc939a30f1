// SPDX-License-Identifier: Apache-2.0
// Runs inside this run: each adds a level, which may only refuse more. nested_runs.cc explains how a
// task's levels are known, nested_session.h is the other side.
#ifndef HOLDFAST_BACKEND_SUPERVISOR_NESTED_RUNS_H
#define HOLDFAST_BACKEND_SUPERVISOR_NESTED_RUNS_H

#include <linux/seccomp.h>

#include <cstdint>
#include <functional>
#include <list>
#include <memory>
#include <optional>
#include <vector>

#include "backend/backend.h"
#include "backend/calls/answer.h"
#include "backend/calls/jobs.h"
#include "backend/supervisor/level.h"
#include "backend/supervisor/process_tree.h"
#include "base/fd.h"
#include "kernel/process/seccomp.h"

namespace holdfast::backend::supervisor {

// What NestedRunCommand::open points to.
struct NestedRunRequest {
  std::uint32_t version = HF_ABI_VERSION;
  std::uint32_t unshare_types = 0;  // HF_NS_*: made for the command of the nested run
  std::uint32_t landlock = 0;       // 1: its tree will be in a Landlock domain of its own
  std::uint32_t pad0 = 0;
  std::uint64_t generation = 0;  // of the tables
  hf_profile profile = {};       // its rules about namespaces count
};

// What the nested run receives, a packet each.
struct NestedRunPacket {
  enum class Kind : std::uint32_t { opened, event, totals };
  Kind kind = Kind::opened;
  std::uint32_t pad0 = 0;
  std::uint64_t key = 0;  // with `opened`: for join and totals
  hf_event event = {};    // with `event`: the profile has the number kNestedProfile
  hf_counters totals = {};
  std::uint64_t lost = 0;  // with `totals`: events that found no room
};
inline constexpr std::uint16_t kNestedProfile = 1;

// One thread.
class NestedRuns {
 public:
  // References are borrowed and outlive the object. `traces_seen`: the filter notifies the calls
  // that trace.
  NestedRuns(const kernel::Proc& proc, const ProcessTree& tree, const calls::SharedTables& shared,
             calls::Jobs& jobs, kernel::Listener& listener, bool traces_seen);
  ~NestedRuns();

  // Answers a call with kNestedRunOperation.
  calls::Answer handle(const seccomp_notif& call, const kernel::TaskDirectory& task);
  // Was there never a nested run?
  [[nodiscard]] bool none() const { return !had_runs_; }
  // The levels that hold the task, the outermost first. Empty optional: this cannot be told. The
  // result counts only if the call still waits afterwards.
  [[nodiscard]] std::optional<std::vector<Level*>> levels_of(
      const Result<kernel::TaskDirectory>& task) const;

 private:
  struct Nested;
  struct Place {  // of a task
    bool known = false;
    Nested* run = nullptr;  // the innermost nested run; null: in none
  };
  [[nodiscard]] Place place_of(const kernel::TaskDirectory& task) const;
  [[nodiscard]] bool is_in(const kernel::TaskDirectory& task, const Nested& wanted) const;
  [[nodiscard]] Nested* find(std::uint64_t key);
  calls::Answer open(const seccomp_notif& call, const kernel::TaskDirectory& task);
  calls::Answer add(const NestedRunRequest& request, const kernel::TaskDirectory& task);
  calls::Answer join(const seccomp_notif& call, const kernel::TaskDirectory& task);
  calls::Answer send_totals(std::uint64_t key);
  void forget_ended();

  const kernel::Proc& proc_;
  const ProcessTree& tree_;
  const calls::SharedTables& shared_;
  calls::Jobs& jobs_;
  kernel::Listener& listener_;
  bool traces_seen_;
  std::uint64_t own_limit_ = 0;              // of tasks in no nested run
  std::uint64_t next_limit_ = 0;             // of the next nested run; 0: there can be no more
  bool had_runs_ = false;                    // tasks may have another limit than own_limit_
  std::list<std::unique_ptr<Nested>> runs_;  // a run comes after the one that it is in
};

}  // namespace holdfast::backend::supervisor

#endif  // HOLDFAST_BACKEND_SUPERVISOR_NESTED_RUNS_H
