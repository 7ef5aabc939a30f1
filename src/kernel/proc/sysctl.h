// SPDX-License-Identifier: Apache-2.0
// Reading kernel settings, and the cgroup from which writing them can be refused.
#ifndef HOLDFAST_KERNEL_PROC_SYSCTL_H
#define HOLDFAST_KERNEL_PROC_SYSCTL_H

#include <cstdint>
#include <string>

#include "base/fd.h"
#include "base/result.h"

namespace holdfast::kernel {

// The value of "kernel/ftrace_enabled", without its newline. ENOENT: this kernel has no such
// setting.
Result<std::string> read_sysctl(const std::string& name);

// How many tasks the kernel makes in all: kernel.threads-max. EPROTO: it is no number.
Result<std::uint64_t> most_tasks();

// The root of the unified hierarchy, mounted or not: all tasks are below it. Errors: EXDEV in a
// cgroup namespace, which shows only its own part; EPERM when nothing is mounted and the caller may
// not mount.
Result<Fd> open_whole_cgroup_hierarchy();

}  // namespace holdfast::kernel

#endif  // HOLDFAST_KERNEL_PROC_SYSCTL_H
