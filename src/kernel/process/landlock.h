// SPDX-License-Identifier: Apache-2.0
// Landlock as a wall around a process tree: landlock(7).
#ifndef HOLDFAST_KERNEL_PROCESS_LANDLOCK_H
#define HOLDFAST_KERNEL_PROCESS_LANDLOCK_H

#include <string>
#include <vector>

#include "base/fd.h"
#include "base/result.h"

namespace holdfast::kernel {

// First ABI with LANDLOCK_SCOPE_SIGNAL and LANDLOCK_SCOPE_ABSTRACT_UNIX_SOCKET (Linux 6.12).
inline constexpr int kLandlockScopeAbi = 6;

// ENOSYS: not built in. EOPNOTSUPP: switched off at boot.
Result<int> landlock_abi();

// Can a domain forbid to connect to a unix socket by its path (ABI 9,
// LANDLOCK_ACCESS_FS_RESOLVE_UNIX)? Later ABIs may forbid more.
[[nodiscard]] bool landlock_rules_unix_sockets();

// A ruleset that takes nothing from the tree that restricts itself with it, but keeps it from
// tracing anything outside, root included (hook_ptrace_access_check). From ABI 6 on it also keeps
// signals and abstract sockets inside. Older kernels refuse a ruleset without file system rights,
// and with one they refuse mount() in the tree (hook_sb_mount): there the one right handled is
// "refer", allowed on "/".
Result<Fd> make_scope_ruleset(int abi);

// The same, and no file below these directories, which are mount points, can be opened for writing.
// Rules cannot subtract, so what lies beside the directories and beside each of their parents is
// allowed, and the parents are not: nothing can be written to a file that is put there later. And
// it refuses mount() in the tree. Errors: ENOTSUP when "/" is among them.
Result<Fd> make_cgroup_readonly_ruleset(int abi, const std::vector<std::string>& directories);

}  // namespace holdfast::kernel

#endif  // HOLDFAST_KERNEL_PROCESS_LANDLOCK_H
