// SPDX-License-Identifier: Apache-2.0
// Runs a function in other namespaces, in a short-lived child process.
#ifndef HOLDFAST_KERNEL_PROCESS_NAMESPACED_CALL_H
#define HOLDFAST_KERNEL_PROCESS_NAMESPACED_CALL_H

#include <sys/types.h>

#include <functional>
#include <string>

#include "base/fd.h"
#include "base/result.h"

namespace holdfast::kernel {

// Borrowed descriptors.
struct NamespacesToJoin {
  int user_fd = -1;     // -1: the caller's
  int mount_fd = -1;    // -1: a new mount namespace that ends with the call
  int network_fd = -1;  // -1: the caller's
};

struct ProcessNamespaces {
  Fd user;
  Fd mount;
};

// The namespaces of one process. Both are of the same process even when its number is reused during
// the call. Errors: ESRCH, no such process; EACCES, the caller may not trace it.
[[nodiscard]] Result<ProcessNamespaces> process_namespaces(pid_t pid);

// Opens a namespace file, such as /proc/PID/ns/user, for setns(2). Does not check that it is one,
// and does not block on a FIFO. Errors: of open(2).
[[nodiscard]] Result<Fd> open_unchecked_namespace(const std::string& path);

// Forks. The child joins the namespaces, becomes root there if possible, and runs `call`. Returns
// the descriptor of `call`, which may be empty. Waits for the child. The caller must have one
// thread: in a child of a multi-threaded process, `call` may not allocate. Errors: of
// socketpair(2), fork(2), setns(2) and `call`; an error of `call` with code 0 becomes ECANCELED.
// ECANCELED also when the child died. EMFILE: no room for the descriptor.
[[nodiscard]] Result<Fd> call_in_namespaces(const NamespacesToJoin& namespaces,
                                            const std::function<Result<Fd>()>& call);

}  // namespace holdfast::kernel

#endif  // HOLDFAST_KERNEL_PROCESS_NAMESPACED_CALL_H
