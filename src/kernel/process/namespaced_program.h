// SPDX-License-Identifier: Apache-2.0
// This program once more, inside of other namespaces.
#ifndef HOLDFAST_KERNEL_PROCESS_NAMESPACED_PROGRAM_H
#define HOLDFAST_KERNEL_PROCESS_NAMESPACED_PROGRAM_H

#include <sys/types.h>

#include <array>
#include <string>

#include "base/result.h"
#include "kernel/process/namespaces.h"

namespace holdfast::kernel {

inline constexpr int kProgramChannelFd = 3;

// Starts it with one argument and an empty environment, in the namespaces of these descriptors, by
// bit number (-1: the caller's), as a child of the caller in each case. It has the credentials that
// anything gets there by an exec, may gain none (no_new_privs), has `channel_fd` as descriptor 3,
// /dev/null as 0 to 2, and nothing else. Its working directory is that of its own descriptors
// (/proc/self/fd), in a mount that nobody can mount anything over, or, without the right to make
// one, where a task with its rights cannot mount at all.
//
// Forks: the caller has one thread. Its number, which is the child's until it is waited for.
// Errors: what could not be done on the way; ECANCELED. That the exec failed shows by the end of
// the channel.
Result<pid_t> start_own_program_in(const std::array<int, kNamespaceTypeCount>& namespace_fd,
                                   const std::string& argument, int channel_fd);

// Nobody may look into this process, nor into what is left of it: PR_SET_DUMPABLE, no core file.
Result<void> become_opaque();

}  // namespace holdfast::kernel

#endif  // HOLDFAST_KERNEL_PROCESS_NAMESPACED_PROGRAM_H
