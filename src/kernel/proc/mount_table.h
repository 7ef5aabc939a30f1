// SPDX-License-Identifier: Apache-2.0
// The mounts of a mount namespace: /proc/PID/mountinfo, proc_pid_mountinfo(5).
#ifndef HOLDFAST_KERNEL_PROC_MOUNT_TABLE_H
#define HOLDFAST_KERNEL_PROC_MOUNT_TABLE_H

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace holdfast::kernel {

struct MountEntry {
  std::uint64_t id = 0;      // as /proc/PID/fdinfo shows it
  std::uint64_t device = 0;  // of the file system, in the kernel's encoding: major << 20 | minor
  std::string root;          // the directory of the file system that is mounted
  std::string point;         // the mount point, below the root directory of the mountinfo's process
  std::string type;          // "cgroup2"
  std::string options;       // of the file system, as the kernel printed them
};

// Pure. Paths are unescaped, options are not. Errors: EINVAL, a line cannot be parsed.
[[nodiscard]] Result<std::vector<MountEntry>> parse_mount_table(std::string_view text);

// The mounts in the file `mountinfo`. Errors: of read_text_file() and parse_mount_table().
[[nodiscard]] Result<std::vector<MountEntry>> mount_table(
    const std::string& mountinfo = "/proc/self/mountinfo");

}  // namespace holdfast::kernel

#endif  // HOLDFAST_KERNEL_PROC_MOUNT_TABLE_H
