// SPDX-License-Identifier: Apache-2.0
// The process tree of one run: the descendants of the process that the supervisor started.
#ifndef HOLDFAST_BACKEND_SUPERVISOR_PROCESS_TREE_H
#define HOLDFAST_BACKEND_SUPERVISOR_PROCESS_TREE_H

#include <sys/types.h>

#include <functional>
#include <unordered_map>

#include "kernel/proc/proc.h"

namespace holdfast::backend::supervisor {

// none: certainly not a member. proved: certainly a member. possible: neither is proved.
enum class Membership { none, possible, proved };

// One thread.
class ProcessTree {
 public:
  // Has to be constructed before the first process of the tree is started. `proc` is borrowed. The
  // root is the calling process, which is not a member itself.
  explicit ProcessTree(const kernel::Proc& proc);

  // The members of `all` for which `below` is true. `all` is borrowed.
  ProcessTree(const ProcessTree& all, std::function<bool(const kernel::TaskDirectory&)> below)
      : proc_(all.proc_), root_(all.root_), all_(&all), below_(std::move(below)) {}

  // Records the caller's process as a proved member. A task in a call on the tree's listener has
  // the tree's filter, and only descendants of the process that installed the filter have it.
  // `waiting` returns whether the call still waits. False: it could not be recorded.
  bool remember(const kernel::TaskDirectory& caller, const std::function<bool()>& waiting);
  // Changes when recorded processes were forgotten. Never 0.
  [[nodiscard]] std::uint64_t remembered_since() const { return since_; }
  // Records the process that the supervisor started, which must not be reaped yet.
  void remember_first(pid_t process);

  // Is the thread in the tree?
  [[nodiscard]] Membership of(const kernel::TaskDirectory& task) const;
  [[nodiscard]] bool contains(const kernel::TaskDirectory& task) const {
    return of(task) == Membership::proved;
  }

  // Calls `match` for the threads of all descendants of the root until it returns true. Not all of
  // them are members: use contains(). Threads that start or end during the call may be missed.
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
  const ProcessTree* all_ = nullptr;  // set if this is only a part of it
  std::function<bool(const kernel::TaskDirectory&)> below_;
  unsigned root_filters_ = 0;     // the number of seccomp filters of the root itself
  bool only_tree_below_ = false;  // every child of the root is a member, or has no filter
  std::uint64_t since_ = 1;
  // Members by pid. An open directory of /proc never refers to another process.
  std::unordered_map<pid_t, kernel::TaskDirectory> remembered_;
};

}  // namespace holdfast::backend::supervisor

#endif  // HOLDFAST_BACKEND_SUPERVISOR_PROCESS_TREE_H
