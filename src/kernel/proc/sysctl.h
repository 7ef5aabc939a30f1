// SPDX-License-Identifier: Apache-2.0
// Reads kernel settings, and opens the cgroup whose sysctl programs see every write of a setting.
#ifndef HOLDFAST_KERNEL_PROC_SYSCTL_H
#define HOLDFAST_KERNEL_PROC_SYSCTL_H

#include <cstdint>
#include <string>

#include "base/fd.h"
#include "base/result.h"

namespace holdfast::kernel {

// The value of a setting, such as "kernel/ftrace_enabled", without its newline, at most 256 bytes.
// Errors: ENOENT, this kernel has no such setting; of open(2), read(2).
Result<std::string> read_sysctl(const std::string& name);

// The maximum number of tasks of the machine: kernel.threads-max. Errors: EPROTO, not a number; of
// read_sysctl().
Result<std::uint64_t> max_tasks();

// The root cgroup of the unified hierarchy, open for reading. Takes /sys/fs/cgroup, or else a
// detached mount. Errors: EXDEV in a cgroup namespace, which shows only its own part; EPERM when
// the hierarchy is not at /sys/fs/cgroup and the caller may not mount it.
Result<Fd> open_whole_cgroup_hierarchy();

}  // namespace holdfast::kernel

#endif  // HOLDFAST_KERNEL_PROC_SYSCTL_H
