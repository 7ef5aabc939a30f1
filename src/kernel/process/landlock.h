// SPDX-License-Identifier: Apache-2.0
// Landlock rulesets that confine a process tree: landlock(7).
#ifndef HOLDFAST_KERNEL_PROCESS_LANDLOCK_H
#define HOLDFAST_KERNEL_PROCESS_LANDLOCK_H

#include <string>
#include <vector>

#include "base/fd.h"
#include "base/result.h"

namespace holdfast::kernel {

// First ABI with LANDLOCK_SCOPE_SIGNAL and LANDLOCK_SCOPE_ABSTRACT_UNIX_SOCKET (Linux 6.12).
inline constexpr int kLandlockScopeAbi = 6;

// The ABI version, 1 or more. Errors: ENOSYS, not built in; EOPNOTSUPP, disabled at boot.
Result<int> landlock_abi();

// Whether this kernel can restrict connections to a unix socket by its path (ABI 9,
// LANDLOCK_ACCESS_FS_RESOLVE_UNIX). False also when Landlock is unavailable.
[[nodiscard]] bool landlock_rules_unix_sockets();

// A ruleset that permits all file accesses. A tree that restricts itself with it cannot trace tasks
// outside, not even as root (hook_ptrace_access_check()). From ABI 6 on, it also cannot send
// signals or connect abstract unix sockets to the outside. Older kernels refuse a ruleset without
// file system rights. There the ruleset handles one right, LANDLOCK_ACCESS_FS_REFER, and permits it
// on "/". A side effect is that mount(2) fails in the tree (hook_sb_mount()). Errors: of
// landlock_create_ruleset(2), landlock_add_rule(2), open(2).
Result<Fd> make_scope_ruleset(int abi);

// As make_scope_ruleset(), and no file below `directories`, which are mount points, can be opened
// for writing. Landlock rules cannot subtract. So the ruleset permits writing on each sibling of
// the directories and of their parents, but not on the parents themselves. Consequence: a file that
// is later created directly in a parent cannot be opened for writing. mount(2) fails in the tree.
// Errors: ENOTSUP, "/" is one of the directories; as make_scope_ruleset(); of opendir(3), fstat(2).
Result<Fd> make_cgroup_readonly_ruleset(int abi, const std::vector<std::string>& directories);

}  // namespace holdfast::kernel

#endif  // HOLDFAST_KERNEL_PROCESS_LANDLOCK_H
