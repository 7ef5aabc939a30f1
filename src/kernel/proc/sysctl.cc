// SPDX-License-Identifier: Apache-2.0
#include "kernel/proc/sysctl.h"

#include <fcntl.h>
#include <linux/magic.h>
#include <linux/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/vfs.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <charconv>

namespace holdfast::kernel {

namespace {

constexpr ino_t kRootCgroup = 1;  // kernfs numbers its root 1

bool is_root(int fd) {
  struct statfs filesystem {};
  struct stat directory {};
  return fstatfs(fd, &filesystem) == 0 && filesystem.f_type == CGROUP2_SUPER_MAGIC &&
         fstat(fd, &directory) == 0 && directory.st_ino == kRootCgroup;
}

// The hierarchy has one superblock, so a detached mount of our own shows the same cgroups.
Fd mount_hierarchy() {
  const Fd context(static_cast<int>(syscall(SYS_fsopen, "cgroup2", FSOPEN_CLOEXEC)));
  if (!context) return {};
  if (syscall(SYS_fsconfig, context.get(), FSCONFIG_CMD_CREATE, nullptr, nullptr, 0) != 0)
    return {};
  const Fd mount(static_cast<int>(syscall(SYS_fsmount, context.get(), FSMOUNT_CLOEXEC, 0)));
  if (!mount) return {};
  return Fd(openat(mount.get(), ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC));
}

}  // namespace

Result<std::string> read_sysctl(const std::string& name) {
  const std::string path = "/proc/sys/" + name;
  const Fd file(open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (!file) return Error{errno, "read", path, {}};
  std::array<char, 256> text;
  const ssize_t bytes = read(file.get(), text.data(), text.size());
  if (bytes < 0) return Error{errno, "read", path, {}};
  std::string value(text.data(), static_cast<std::size_t>(bytes));
  while (value.ends_with('\n')) value.pop_back();
  return value;
}

Result<std::uint64_t> max_tasks() {
  HF_TRY_ASSIGN(const auto text, read_sysctl("kernel/threads-max"));
  std::uint64_t tasks = 0;
  const auto [end, failed] = std::from_chars(text.data(), text.data() + text.size(), tasks);
  if (failed != std::errc() || end != text.data() + text.size())
    return Error{EPROTO, "read", "kernel.threads-max", text};
  return tasks;
}

Result<Fd> open_whole_cgroup_hierarchy() {
  Fd root(open("/sys/fs/cgroup", O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (root && is_root(root.get())) return root;
  root = mount_hierarchy();
  if (!root) return Error{errno, "open the root cgroup", {}, {}};
  if (!is_root(root.get()))
    return Error{EXDEV, "open the root cgroup", {}, "only a part of the hierarchy is visible here"};
  return root;
}

}  // namespace holdfast::kernel
