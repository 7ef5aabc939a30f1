// SPDX-License-Identifier: Apache-2.0
// Something that only a task inside other namespaces may do, done by a short-lived child.
#ifndef HOLDFAST_KERNEL_PROCESS_NAMESPACED_CALL_H
#define HOLDFAST_KERNEL_PROCESS_NAMESPACED_CALL_H

#include <sys/types.h>

#include <functional>
#include <string>

#include "base/fd.h"
#include "base/result.h"

namespace holdfast::kernel {

// All borrowed.
struct NamespacesToJoin {
  int user_fd = -1;     // -1: the caller's
  int mount_fd = -1;    // -1: a new mount namespace that ends with the call
  int network_fd = -1;  // -1: the caller's
};

struct ProcessNamespaces {
  Fd user;
  Fd mount;
};

// Both of one process, even when its number is taken by another meanwhile. Errors: ESRCH; EACCES.
[[nodiscard]] Result<ProcessNamespaces> process_namespaces(pid_t pid);

// A file that is a namespace, such as /proc/PID/ns/user. Errors: those of open(2).
[[nodiscard]] Result<Fd> open_namespace(const std::string& path);

// Forks; the child joins the namespaces, runs `call` and hands its descriptor (it may be
// empty) or its error back.
// The caller has one thread: after fork() of more, `call` could not allocate.
// Errors: those of setns(2) and of `call`; ECANCELED when the child died without a word; EMFILE when
// the caller has no room for the descriptor.
[[nodiscard]] Result<Fd> call_in_namespaces(const NamespacesToJoin& namespaces,
                                            const std::function<Result<Fd>()>& call);

}  // namespace holdfast::kernel

#endif  // HOLDFAST_KERNEL_PROCESS_NAMESPACED_CALL_H
