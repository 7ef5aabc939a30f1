// SPDX-License-Identifier: Apache-2.0
// Identifies a file by the numbers that unix_diag reports for the file of a bound socket. On
// overlayfs and btrfs, stat(2) shows other numbers.
#ifndef HOLDFAST_KERNEL_FILES_BOUND_FILE_H
#define HOLDFAST_KERNEL_FILES_BOUND_FILE_H

#include <cstdint>
#include <string_view>

#include "base/result.h"
#include "kernel/proc/proc.h"

namespace holdfast::kernel {

struct BoundFile {
  std::uint64_t inode = 0;
  std::uint64_t device = 0;  // in the encoding of MountEntry::device

  bool operator==(const BoundFile&) const = default;
};

// Pure. Parses the text of /proc/PID/fdinfo/FD, and the mountinfo of a process whose mount
// namespace has the file's mount. Errors: EINVAL, a text cannot be parsed; ENOENT, mountinfo lacks
// the mount.
[[nodiscard]] Result<BoundFile> parse_bound_file(std::string_view descriptor_info,
                                                 std::string_view mount_info);

// The file of `fd`, a descriptor of this process. `viewer` is a task whose mount namespace has the
// file's mount. Errors: of Proc and TaskDirectory; ENOENT, it does not have the mount.
[[nodiscard]] Result<BoundFile> bound_file(const Proc& proc, int fd, const TaskDirectory& viewer);

// A directory, together with the mount through which it was opened.
struct Place {
  std::uint64_t inode = 0;
  std::uint64_t device = 0;  // st_dev of stat(2)
  std::uint64_t mount = 0;

  bool operator==(const Place&) const = default;
};
// Errors: of statx(2); ENOTSUP, the kernel does not report the mount (before Linux 5.8).
[[nodiscard]] Result<Place> place_of(int fd);
// Whether it is a socket or the file of a unix socket. False also on errors.
[[nodiscard]] bool is_socket_file(int fd);

}  // namespace holdfast::kernel

#endif  // HOLDFAST_KERNEL_FILES_BOUND_FILE_H
