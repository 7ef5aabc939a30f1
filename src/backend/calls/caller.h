// SPDX-License-Identifier: Apache-2.0
// Who is blocked in a call that a listener got.
#ifndef HOLDFAST_BACKEND_CALLS_CALLER_H
#define HOLDFAST_BACKEND_CALLS_CALLER_H

#include <linux/seccomp.h>
#include <sys/types.h>

#include <memory>
#include <optional>

#include "backend/backend.h"
#include "base/fd.h"
#include "core/abi.h"
#include "kernel/proc/proc.h"
#include "kernel/process/seccomp.h"

namespace holdfast::backend::calls {

// A duplicate of one of the caller's descriptors.
struct Duplicate {
  Fd fd;              // invalid: there is none of that number, or it cannot be read
  bool stable;        // the number still names the same object when the call continues
  bool none = false;  // beyond doubt there is none of that number
};
// From the calling thread's own table, which after unshare(CLONE_FILES) is not its process's.
[[nodiscard]] Duplicate duplicate_of_thread(const seccomp_notif& call,
                                            const kernel::TaskDirectory& task, int remote_fd);

// For events. Nothing: the thread has died, or cannot be looked into.
[[nodiscard]] std::optional<hf_task> describe_task(const kernel::TaskDirectory& task);

// The child's listener, on a duplicate of its descriptor. Errors: of dup(2); of
// SeccompListener::create().
Result<std::unique_ptr<kernel::Listener>> take_listener(const Child& child);

// The child makes one call that has to come here and be refused with a value that nothing else
// returns. Errors: ETIMEDOUT: it did not come; EPROTO: another one did.
Result<void> answer_self_test(kernel::Listener& listener, pid_t child);

}  // namespace holdfast::backend::calls

#endif  // HOLDFAST_BACKEND_CALLS_CALLER_H
