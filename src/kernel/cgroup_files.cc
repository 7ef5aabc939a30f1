// SPDX-License-Identifier: Apache-2.0
#include "kernel/cgroup_files.h"

#include <fcntl.h>
#include <linux/magic.h>
#include <linux/openat2.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "base/text.h"
#include "kernel/mount_table.h"
#include "kernel/open_files.h"
#include "kernel/process.h"
#include "kernel/system_error.h"

namespace holdfast::kernel {
namespace {

std::string link_of_descriptor(int fd) { return "/proc/self/fd/" + std::to_string(fd); }

bool same_file(int fd, const std::string& path) {
  struct stat one = {};
  struct stat other = {};
  return fstat(fd, &one) == 0 && stat(path.c_str(), &other) == 0 && one.st_dev == other.st_dev &&
         one.st_ino == other.st_ino;
}

// "/a" and "/b/c" are "/a/b/c"; "/" adds nothing.
std::string joined(const std::string& first, const std::string& second) {
  if (first == "/") return second.empty() ? first : second;
  return second == "/" ? first : first + second;
}

}  // namespace

std::optional<Hierarchy> hierarchy_of(int fd) {
  struct statfs facts = {};
  if (fstatfs(fd, &facts) != 0) return std::nullopt;
  if (facts.f_type == CGROUP2_SUPER_MAGIC) return Hierarchy::unified;
  if (facts.f_type == CGROUP_SUPER_MAGIC) return Hierarchy::v1;
  return std::nullopt;
}

Result<CgroupMounts> CgroupMounts::read() {
  const auto entries = mount_table();
  if (!entries) return entries.error();
  CgroupMounts mounts;
  for (const MountEntry& entry : *entries) {
    if (entry.type != "cgroup" && entry.type != "cgroup2") continue;
    mounts.points_.push_back(entry.point);
    if (entry.type == "cgroup") continue;
    mounts.parts_.push_back({entry.root, entry.point});
    if (entry.root == "/" && mounts.unified_.empty()) mounts.unified_ = entry.point;
  }
  return mounts;
}

// The path in the link is a guess, since mounts cover one another and namespaces differ. It counts
// when the same file stands there.
Result<CgroupFile> CgroupMounts::file(int fd) const {
  const auto shown = path_of_descriptor(fd);
  if (!shown) return shown.error();
  const Error unknown{ESTALE, "find the cgroup of", *shown, "no known mount shows it"};
  for (const Unified& part : parts_) {
    if (unified_.empty() || !shown->starts_with(part.point + "/")) continue;
    const std::string path = joined(part.root, shown->substr(part.point.size()));
    const std::size_t slash = path.rfind('/');
    const std::string cgroup = slash == 0 ? "/" : path.substr(0, slash);
    if (!same_file(fd, joined(unified_, path))) continue;
    const auto number = id(cgroup);
    if (!number) return unknown;
    return CgroupFile{*number, cgroup, path.substr(slash + 1)};
  }
  return unknown;
}

Result<CgroupId> CgroupMounts::id(const std::string& path) const {
  return cgroup_id(joined(unified_, path));
}

Result<Fd> find_file(int base_fd, const std::string& path, int flags, std::uint64_t resolve) {
  open_how how = {};
  how.flags = static_cast<__u64>(O_PATH | O_CLOEXEC | flags);
  how.resolve = resolve;
  Fd fd(static_cast<int>(syscall(SYS_openat2, base_fd, path.c_str(), &how, sizeof(how))));
  if (!fd) return system_error("open", path);
  return fd;
}

Result<Fd> reopen(int fd, int flags) {
  Fd again(open(link_of_descriptor(fd).c_str(), flags | O_CLOEXEC));
  if (!again) return system_error("open again");
  return again;
}

Result<std::vector<std::string>> writable_cgroup_files() {
  const auto files = open_files(own_pid());
  if (!files) return files.error();
  std::vector<std::string> found;
  for (const OpenFile& file : *files) {
    const int flags = fcntl(file.number, F_GETFL);
    if (flags < 0 || (flags & O_PATH) || (flags & O_ACCMODE) == O_RDONLY) continue;
    if (hierarchy_of(file.number))
      found.push_back(std::to_string(file.number) + ": " + file.target);
  }
  return found;
}

Result<void> move_task(int file_fd, pid_t number) {
  const auto fd = reopen(file_fd, O_WRONLY);
  if (!fd) return fd.error();
  const std::string text = std::to_string(number);
  if (write(fd->get(), text.data(), text.size()) < 0) return system_error("move task");
  return {};
}

}  // namespace holdfast::kernel
