// SPDX-License-Identifier: Apache-2.0
// Which processes may share a descriptor table with another process.
#ifndef HOLDFAST_BACKEND_CALLS_SHARED_TABLES_H
#define HOLDFAST_BACKEND_CALLS_SHARED_TABLES_H

#include <linux/seccomp.h>
#include <sys/types.h>

#include <cstdint>
#include <functional>
#include <map>

#include "backend/calls/known_tasks.h"
#include "kernel/proc/proc.h"

namespace holdfast::backend::calls {

// Does this clone(2) make a process that shares the caller's descriptor table?
[[nodiscard]] bool shares_table(const seccomp_data& clone);

// One thread. See shared_tables.cc for why the answers are right.
class SharedTables {
 public:
  // `proc` is borrowed.
  explicit SharedTables(const kernel::Proc& proc) : proc_(&proc) {}

  // Records that the caller's process is about to share its table. Call it before the clone
  // continues. `waiting` returns whether the clone still waits. False: a fact could not be read, so
  // the clone must not continue, or the caller has died.
  [[nodiscard]] bool record(const kernel::TaskDirectory& caller,
                            const std::function<bool()>& waiting);
  // May another process have the descriptor table of this process? `leader` is the directory of a
  // process with one thread that is blocked in a call.
  [[nodiscard]] bool possible(const kernel::TaskDirectory& leader, pid_t process) const;

  // Uses these for the call that they know. `known` is borrowed.
  void use(const KnownTasks& known) { known_ = &known; }
  // The process of this call, if it is known and has one thread. Null: neither is certain.
  [[nodiscard]] const KnownTask* known(const seccomp_notif& call) const {
    return known_ ? known_->of(call) : nullptr;
  }

 private:
  void forget_ended();

  const kernel::Proc* proc_;
  const KnownTasks* known_ = nullptr;
  std::uint64_t first_ticks_ = 0;  // when the first clone was recorded
  // Processes that made such a clone, and when each was started. A number that is reused only
  // makes the answer stricter.
  std::map<pid_t, std::uint64_t> makers_;
  bool all_ = false;  // there were too many
};

}  // namespace holdfast::backend::calls

#endif  // HOLDFAST_BACKEND_CALLS_SHARED_TABLES_H
