// SPDX-License-Identifier: Apache-2.0
#include "kernel/bound_file.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

#include <algorithm>
#include <cerrno>
#include <optional>

#include "base/text.h"
#include "kernel/mount_table.h"
#include "kernel/system_error.h"

namespace holdfast::kernel {
namespace {

// "ino:\t1234"
std::optional<std::uint64_t> value_of(std::string_view text, std::string_view key) {
  for (std::string_view line : split(text, '\n')) {
    if (!line.starts_with(key) || !line.substr(key.size()).starts_with(":\t")) continue;
    line.remove_prefix(key.size() + 2);
    return number<std::uint64_t>(line);
  }
  return std::nullopt;
}

}  // namespace

Result<BoundFile> parse_bound_file(std::string_view descriptor_info, std::string_view mount_info) {
  const auto inode = value_of(descriptor_info, "ino");
  const auto mount = value_of(descriptor_info, "mnt_id");
  if (!inode || !mount) return Error{EINVAL, "understand", "/proc/PID/fdinfo", {}};
  const auto mounts = parse_mount_table(mount_info);
  if (!mounts) return mounts.error();
  const auto entry = std::ranges::find(*mounts, *mount, &MountEntry::id);
  if (entry == mounts->end()) return Error{ENOENT, "find the mount of a file", {}, {}};
  return BoundFile{*inode, entry->device};
}

Result<BoundFile> bound_file(const Proc& proc, int fd, const TaskDirectory& viewer) {
  const auto info = proc.descriptor_info(fd);
  if (!info) return info.error();
  const auto mounts = viewer.mount_info();
  if (!mounts) return mounts.error();
  return parse_bound_file(*info, *mounts);
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
