// SPDX-License-Identifier: Apache-2.0
// Facts about the thread that is blocked in a notified call.
#ifndef HOLDFAST_BACKEND_CALLS_CALLER_H
#define HOLDFAST_BACKEND_CALLS_CALLER_H

#include <linux/seccomp.h>
#include <sys/types.h>

#include <memory>
#include <optional>

#include "backend/backend.h"
#include "backend/calls/foreign_fd.h"
#include "backend/calls/shared_tables.h"
#include "base/fd.h"
#include "core/abi.h"
#include "kernel/proc/proc.h"
#include "kernel/process/seccomp.h"

namespace holdfast::backend::calls {

// A duplicate of one of the caller's descriptors.
struct Duplicate {
  ForeignFd fd;       // invalid: no such descriptor, or it cannot be duplicated
  bool stable;        // the number will name the same object when the kernel continues the call
  bool none = false;  // there is certainly no descriptor of that number
};
// Will a descriptor number name the same object when the kernel continues the call? True only for a
// process with one thread that shares its table with no other process.
[[nodiscard]] bool has_own_table(const seccomp_notif& call, const kernel::TaskDirectory& task,
                                 const SharedTables& tables);
// Duplicates `remote_fd` from the calling thread's own table. After unshare(CLONE_FILES) that is
// not the table of its process. `stable` is true only for a process with one thread that shares its
// table with no other process. The result counts only if the call still waits afterwards.
[[nodiscard]] Duplicate duplicate_of_thread(const seccomp_notif& call,
                                            const kernel::TaskDirectory& task,
                                            const SharedTables& tables, int remote_fd);

// A pidfd whose descriptor table is the calling thread's, for kernel::duplicate_from(). The result
// counts only if the call still waits afterwards. Errors: of pidfd_open(2); EINVAL, before Linux 6.9
// a thread with a table of its own.
[[nodiscard]] Result<Fd> open_descriptor_table(const seccomp_notif& call,
                                               const kernel::TaskStatus& status);

// Describes a thread for an event. Empty: it has died, or this process may not read its /proc.
[[nodiscard]] std::optional<hf_task> describe_task(const kernel::TaskDirectory& task);

// The child's listener, on a duplicate of its descriptor. Errors: of dup(2); of
// SeccompListener::create().
Result<std::unique_ptr<kernel::Listener>> take_listener(const Child& child);

// Waits up to 10 s for the child's self-test call, and refuses it with an errno that no other call
// returns. Errors: ETIMEDOUT no call arrived; EPROTO another call arrived first.
Result<void> answer_self_test(kernel::Listener& listener, pid_t child);

}  // namespace holdfast::backend::calls

#endif  // HOLDFAST_BACKEND_CALLS_CALLER_H
