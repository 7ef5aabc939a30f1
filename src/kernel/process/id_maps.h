// SPDX-License-Identifier: Apache-2.0
// Id maps of a new user namespace: user_namespaces(7).
#ifndef HOLDFAST_KERNEL_PROCESS_ID_MAPS_H
#define HOLDFAST_KERNEL_PROCESS_ID_MAPS_H

#include <sys/types.h>

#include "base/result.h"

namespace holdfast::kernel {

// Maps ids inside the user namespace of `child` to the same ids outside, so that files, limits and
// logs show the same ids on both sides. The caller owns that namespace. With CAP_SETUID in its own
// namespace, the caller maps every id of its own namespace. Without it, the kernel permits a map of
// only the caller's effective user and group, after setgroups(2) is denied in the namespace.
// Errors: of open(2), write(2) on /proc/PID/uid_map, gid_map and setgroups.
Result<void> write_identity_maps(pid_t child);

}  // namespace holdfast::kernel

#endif  // HOLDFAST_KERNEL_PROCESS_ID_MAPS_H
