// SPDX-License-Identifier: Apache-2.0
#include "kernel/files/bound_file.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

#include <algorithm>
#include <cerrno>

#include "base/text.h"
#include "kernel/proc/mount_table.h"
#include "kernel/system_error.h"

namespace holdfast::kernel {

Result<BoundFile> parse_bound_file(std::string_view descriptor_info, std::string_view mount_info) {
  const auto inode = number<std::uint64_t>(field(descriptor_info, "ino").value_or(""));
  const auto mount = number<std::uint64_t>(field(descriptor_info, "mnt_id").value_or(""));
  if (!inode || !mount) return Error{EINVAL, "understand", "/proc/PID/fdinfo", {}};
  HF_TRY_ASSIGN(const auto mounts, parse_mount_table(mount_info));
  const auto entry = std::ranges::find(mounts, *mount, &MountEntry::id);
  if (entry == mounts.end()) return Error{ENOENT, "find the mount of a file", {}, {}};
  return BoundFile{*inode, entry->device};
}

Result<BoundFile> bound_file(const Proc& proc, int fd, const TaskDirectory& viewer) {
  HF_TRY_ASSIGN(const auto info, proc.descriptor_info(fd));
  HF_TRY_ASSIGN(const auto mounts, viewer.mount_info());
  return parse_bound_file(info, mounts);
}

Result<Place> place_of(int fd) {
  struct statx facts = {};
  if (::statx(fd, "", AT_EMPTY_PATH, STATX_INO | STATX_MNT_ID, &facts) != 0)
    return system_error("statx");
  if (!(facts.stx_mask & STATX_MNT_ID)) return Error{ENOTSUP, "statx", {}, "no mount"};
  return Place{facts.stx_ino, makedev(facts.stx_dev_major, facts.stx_dev_minor), facts.stx_mnt_id};
}

bool is_socket_file(int fd) {
  struct stat facts = {};
  return ::fstat(fd, &facts) == 0 && S_ISSOCK(facts.st_mode);
}

}  // namespace holdfast::kernel
