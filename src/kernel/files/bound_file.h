// SPDX-License-Identifier: Apache-2.0
// Which file a descriptor names, in the numbers by which the kernel itself tells files apart: those
// that unix_diag has of a bound socket. stat(2) shows others on overlayfs and btrfs.
#ifndef HOLDFAST_KERNEL_FILES_BOUND_FILE_H
#define HOLDFAST_KERNEL_FILES_BOUND_FILE_H

#include <cstdint>
#include <string_view>

#include "base/result.h"
#include "kernel/proc/proc.h"

namespace holdfast::kernel {

struct BoundFile {
  std::uint64_t inode = 0;
  std::uint64_t device = 0;  // as MountEntry has it

  bool operator==(const BoundFile&) const = default;
};

// From the text of /proc/PID/fdinfo/FD and the mountinfo of somebody who sees the file's mount.
// Errors: EINVAL not such texts; ENOENT no such mount.
[[nodiscard]] Result<BoundFile> parse_bound_file(std::string_view descriptor_info,
                                                 std::string_view mount_info);

// Of a descriptor of this process, whose mount is one that `viewer` sees. Errors: those of reading
// /proc; ENOENT.
[[nodiscard]] Result<BoundFile> bound_file(const Proc& proc, int fd, const TaskDirectory& viewer);

// A directory and the mount through which it is seen.
struct Place {
  std::uint64_t inode = 0;
  std::uint64_t device = 0;  // as stat(2) has it
  std::uint64_t mount = 0;

  bool operator==(const Place&) const = default;
};
// Errors: those of statx(2).
[[nodiscard]] Result<Place> place_of(int fd);
// Is it a unix socket's file, or another socket?
[[nodiscard]] bool is_socket_file(int fd);

}  // namespace holdfast::kernel

#endif  // HOLDFAST_KERNEL_FILES_BOUND_FILE_H
