// SPDX-License-Identifier: Apache-2.0
// Starts this program again, in other namespaces.
#ifndef HOLDFAST_KERNEL_PROCESS_NAMESPACED_PROGRAM_H
#define HOLDFAST_KERNEL_PROCESS_NAMESPACED_PROGRAM_H

#include <sys/types.h>

#include <array>
#include <string>

#include "base/result.h"
#include "kernel/process/namespaces.h"

namespace holdfast::kernel {

inline constexpr int kProgramChannelFd = 3;

// Starts this program with one argument and an empty environment, as a child of the caller, also
// when it enters a pid namespace. `namespace_fd` has one borrowed descriptor per type, by bit
// number (-1: the caller's namespace). The new program has the credentials of any exec in that user
// namespace, and no_new_privs. `channel_fd`, borrowed, becomes its descriptor 3. Descriptors 0 to 2
// are /dev/null, and it has no others. Its working directory is its own descriptor directory
// (/proc/self/fd), in a detached mount, so that no task can mount over it. Without the right to
// make such a mount it uses the visible /proc: there a task with its rights cannot mount.
//
// Forks twice; the caller must have one thread. Returns the child's process id, which is valid
// until the caller waits for it. Errors: of open(2), socketpair(2), fork(2), setns(2), clone(2);
// ECANCELED, the first child died. A failed exec is visible only as the end of the channel.
Result<pid_t> start_own_program_in(const std::array<int, kNamespaceTypeCount>& namespace_fd,
                                   const std::string& argument, int channel_fd);

// Makes this process unreadable for other processes of the same user (PR_SET_DUMPABLE 0), and
// forbids core files. Errors: of setrlimit(2), prctl(2).
Result<void> become_opaque();

}  // namespace holdfast::kernel

#endif  // HOLDFAST_KERNEL_PROCESS_NAMESPACED_PROGRAM_H
