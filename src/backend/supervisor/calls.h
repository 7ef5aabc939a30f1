// SPDX-License-Identifier: Apache-2.0
// Turns a blocked call into requests to decide. Uses registers and kernel state only; nothing here
// reads memory of the tree. One thread.
#ifndef HOLDFAST_BACKEND_SUPERVISOR_CALLS_H
#define HOLDFAST_BACKEND_SUPERVISOR_CALLS_H

#include <linux/seccomp.h>

#include <cerrno>
#include <optional>
#include <vector>

#include "backend/calls/caller.h"
#include "backend/supervisor/process_tree.h"
#include "backend/supervisor/sandbox.h"
#include "base/fd.h"
#include "core/abi.h"
#include "kernel/proc/proc.h"

namespace holdfast::backend::supervisor {

// The number of the sandbox. A run has one, so the number matters only in events.
inline constexpr std::uint64_t kOnlySet = 1;

// The state of the run. Borrowed for one call.
struct SessionView {
  const hf_profile& profile;
  const Sandbox& sandbox;
  const ProcessTree& tree;
  const kernel::Proc& proc;
  const calls::SharedTables& tables;
};

// The thread that made the call. While it is blocked its namespaces cannot change, since only a
// thread itself changes them. But a pid may name another thread once the caller is dead. So facts
// read through `task` count only if Listener::waiting() returns true after they were read.
struct Caller {
  const seccomp_notif& call;
  const kernel::TaskDirectory& task;
  const kernel::TaskNamespaces& namespaces;
  const hf_request& common;  // subject and held_* filled in
};

// One decision that a call needs, and the effect on the sandbox if it is allowed.
struct PendingDecision {
  // none: not a setns().
  // proved: the target is known, and so is its owner.
  // unproven: the target is known, but it may belong to the sandbox or to a process outside.
  // unknown: the descriptor may name another target when the kernel reads it.
  enum class Entry { none, proved, unproven, unknown };

  hf_request request = {};
  kernel::NamespaceInode target = 0;  // for the event; 0: not known
  hf_task object = {};                // the traced task
  Entry entry = Entry::none;
  Fd target_fd;  // with Entry::unproven
};

// unshare, clone, fsmount, open_tree, open_tree_attr. Empty: the call makes no namespace. Errors:
// EINVAL unknown flags of unshare(); they may create namespaces on a newer kernel.
Result<std::optional<PendingDecision>> decisions_of_creation(const Caller& caller);

// Certainly no namespace is made: the kernel is left to it.
[[nodiscard]] bool makes_nothing(const seccomp_data& unshare);

// setns: one decision for each namespace type, in the order in which the kernel enters them. An
// empty vector: the kernel will refuse the call itself.
std::vector<PendingDecision> decisions_of_entry(const SessionView& view, const Caller& caller);

// ptrace, process_vm_readv, process_vm_writev, pidfd_getfd. Errors: those that the kernel returns if
// there is nothing to trace (ESRCH, EBADF), or if the task of the tree has ended (ESRCH, EPERM).
Result<PendingDecision> decision_of_trace(const SessionView& view, const Caller& caller);

// The task that a pid of the caller's pid namespace means.
struct Located {
  // none: there is no such task. unknown: this cannot be told. found: `pid` is the supervisor's
  // number for it.
  enum class State { none, unknown, found } state;
  pid_t pid = 0;
  int error = ESRCH;  // of the call, with `none`: ESRCH or EBADF
};
[[nodiscard]] Located locate(const SessionView& view, const Caller& caller, pid_t pid);
// Translates a pid from the caller's pid namespace to the supervisor's. Empty: not found.
[[nodiscard]] std::optional<pid_t> supervisors_number(const SessionView& view, const Caller& caller,
                                                      pid_t pid);

using calls::describe_task;
using calls::Duplicate;
using calls::has_own_table;
[[nodiscard]] inline Duplicate duplicate_of(const SessionView& view, const Caller& caller,
                                            int remote_fd) {
  return calls::duplicate_of_thread(caller.call, caller.task, view.tables, remote_fd);
}

}  // namespace holdfast::backend::supervisor

#endif  // HOLDFAST_BACKEND_SUPERVISOR_CALLS_H
