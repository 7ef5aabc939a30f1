// SPDX-License-Identifier: Apache-2.0
// The process tree of one run: what descends from the process that the supervisor started.
#ifndef HOLDFAST_BACKEND_SUPERVISOR_PROCESS_TREE_H
#define HOLDFAST_BACKEND_SUPERVISOR_PROCESS_TREE_H

#include <sys/types.h>

#include <functional>
#include <unordered_map>

#include "kernel/proc/proc.h"

namespace holdfast::backend::supervisor {

// `possible`: neither can be told.
enum class Membership { none, possible, proved };

// One thread.
class ProcessTree {
 public:
  // Before the first process of the tree is started. `proc` is borrowed. The root is this process;
  // it is not a member itself.
  explicit ProcessTree(const kernel::Proc& proc);

  // The thread waits in a call that the tree's listener got, so it is of the tree: only who
  // descends from the process that installed the filter has it. Its process counts as proved from
  // here on. `waiting` says whether the call still waits.
  void remember(const kernel::TaskDirectory& caller, const std::function<bool()>& waiting);
  // The same for the process that the supervisor started, which it has not reaped yet.
  void remember_first(pid_t process);

  // Is the thread in the tree? `none` is proof as well.
  [[nodiscard]] Membership of(const kernel::TaskDirectory& task) const;
  [[nodiscard]] bool contains(const kernel::TaskDirectory& task) const {
    return of(task) == Membership::proved;
  }

  // Calls `match` for threads below the root until one matches. Proves nothing: they may be others
  // than the tree's. May miss threads that come or go meanwhile.
  [[nodiscard]] bool any(const std::function<bool(const kernel::TaskDirectory&)>& match) const;

 private:
  [[nodiscard]] bool any_below(
      const kernel::TaskDirectory& process, unsigned depth,
      const std::function<bool(const kernel::TaskDirectory&)>& match) const;
  [[nodiscard]] Membership by_parents(const kernel::TaskDirectory& task,
                                      const kernel::TaskStatus& status, unsigned depth) const;
  [[nodiscard]] bool remembered(pid_t process) const;
  void keep(pid_t process, kernel::TaskDirectory directory);

  const kernel::Proc& proc_;
  pid_t root_;
  unsigned root_filters_ = 0;     // seccomp filters that the root has itself
  bool only_tree_below_ = false;  // every child of the root is the tree's, or has no filter
  // Processes by number. Each entry's directory is that process's for good.
  std::unordered_map<pid_t, kernel::TaskDirectory> remembered_;
};

}  // namespace holdfast::backend::supervisor

#endif  // HOLDFAST_BACKEND_SUPERVISOR_PROCESS_TREE_H
