// SPDX-License-Identifier: Apache-2.0
// What a blocked call asks for, as requests to decide. Registers and kernel state only: nothing
// here reads memory of the tree.
#ifndef HOLDFAST_BACKEND_SUPERVISOR_CALLS_H
#define HOLDFAST_BACKEND_SUPERVISOR_CALLS_H

#include <linux/seccomp.h>

#include <optional>
#include <vector>

#include "backend/calls/caller.h"
#include "backend/supervisor/process_tree.h"
#include "backend/supervisor/sandbox.h"
#include "base/fd.h"
#include "core/abi.h"
#include "kernel/proc/proc.h"

namespace holdfast::backend::supervisor {

// The one sandbox of a run. Its number matters only in events.
inline constexpr std::uint64_t kOnlySet = 1;

// The run that a call belongs to. Borrowed.
struct SessionView {
  const hf_profile& profile;
  const Sandbox& sandbox;
  const ProcessTree& tree;
  const kernel::Proc& proc;
};

// The thread that made the call. It stays blocked, so what is read about it stays true: only a
// thread itself changes its namespaces.
struct Caller {
  const seccomp_notif& call;
  const kernel::TaskDirectory& task;
  const kernel::TaskNamespaces& namespaces;
  const hf_request& common;  // subject and held_* filled in
};

// One decision that a call needs, and what letting it through would mean for the sandbox.
struct PendingDecision {
  // Whether the target of an entry is known beyond doubt; is an object that may be anybody's; or is
  // not even known to stay the same object.
  enum class Entry { none, proved, unproven, unknown };

  hf_request request = {};
  kernel::NamespaceInode target = 0;  // for the event; 0: not known
  hf_task object = {};                // traced task
  Entry entry = Entry::none;
  Fd target_fd;  // with Entry::unproven
};

// unshare, clone, fsmount, open_tree, open_tree_attr. Nothing: it makes no namespace. EINVAL: flags
// that this program does not know, which may be a new kernel's namespaces.
Result<std::optional<PendingDecision>> decisions_of_creation(const Caller& caller);

// setns: one decision for each type, in the order in which the kernel enters them. None: the kernel
// will refuse the call itself.
std::vector<PendingDecision> decisions_of_entry(const SessionView& view, const Caller& caller);

// ptrace, process_vm_readv, process_vm_writev, pidfd_getfd.
PendingDecision decision_of_trace(const SessionView& view, const Caller& caller);

// The task that has this number in the caller's pid namespace, by the supervisor's number. Nothing:
// there is none.
[[nodiscard]] std::optional<pid_t> supervisors_number(const SessionView& view, const Caller& caller,
                                                      pid_t pid);

using calls::describe_task;
using calls::Duplicate;
[[nodiscard]] inline Duplicate duplicate_of(const Caller& caller, int remote_fd) {
  return calls::duplicate_of_thread(caller.call, caller.task, remote_fd);
}

}  // namespace holdfast::backend::supervisor

#endif  // HOLDFAST_BACKEND_SUPERVISOR_CALLS_H
