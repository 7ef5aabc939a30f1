// SPDX-License-Identifier: Apache-2.0
#include "kernel/process/namespaces.h"

#include <fcntl.h>
#include <linux/magic.h>
#include <linux/nsfs.h>
#include <linux/sched.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/vfs.h>

#include <fmt/core.h>

#include "kernel/system_error.h"

namespace holdfast::kernel {

const std::array<NamespaceType, kNamespaceTypeCount> kNamespaceTypes = {{
    {"mnt", CLONE_NEWNS},
    {"uts", CLONE_NEWUTS},
    {"ipc", CLONE_NEWIPC},
    {"user", CLONE_NEWUSER},
    {"pid", CLONE_NEWPID},
    {"net", CLONE_NEWNET},
    {"cgroup", CLONE_NEWCGROUP},
    {"time", CLONE_NEWTIME},
}};

std::uint32_t types_from_clone_flags(std::uint64_t flags) {
  std::uint32_t types = 0;
  for (unsigned bit = 0; bit < kNamespaceTypeCount; bit++)
    if (flags & kNamespaceTypes[bit].clone_flag) types |= 1u << bit;
  return types;
}

std::uint64_t clone_flags_from_types(std::uint32_t types) {
  std::uint64_t flags = 0;
  for (unsigned bit = 0; bit < kNamespaceTypeCount; bit++)
    if (types & (1u << bit)) flags |= kNamespaceTypes[bit].clone_flag;
  return flags;
}

std::optional<unsigned> type_by_name(std::string_view name) {
  for (unsigned bit = 0; bit < kNamespaceTypeCount; bit++)
    if (kNamespaceTypes[bit].name == name) return bit;
  return std::nullopt;
}

Result<NamespaceObject> identify_namespace(int fd) {
  struct statfs filesystem = {};
  if (::fstatfs(fd, &filesystem) != 0) return system_error("statfs of a descriptor");
  if (filesystem.f_type != NSFS_MAGIC) return Error{ENOTTY, "identify namespace", {}, {}};
  struct stat status = {};
  if (::fstat(fd, &status) != 0) return system_error("stat of a namespace");
  const int flag = ::ioctl(fd, NS_GET_NSTYPE);
  if (flag < 0) return system_error("NS_GET_NSTYPE");
  for (unsigned bit = 0; bit < kNamespaceTypeCount; bit++)
    if (kNamespaceTypes[bit].clone_flag == static_cast<std::uint32_t>(flag))
      return NamespaceObject{bit, status.st_ino};
  return Error{ENOTTY, "identify namespace", {}, "a type that holdfast does not know"};
}

Result<Fd> open_namespace(pid_t pid, unsigned type) {
  const std::string path = fmt::format("/proc/{}/ns/{}", pid, kNamespaceTypes[type].name);
  Fd fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (!fd) return system_error("open", path);
  return fd;
}

Result<Fd> open_namespace_file(const std::string& path) {
  const Fd handle(::open(path.c_str(), O_PATH | O_CLOEXEC));
  if (!handle) return system_error("open", path);
  struct statfs filesystem = {};
  if (::fstatfs(handle.get(), &filesystem) != 0) return system_error("statfs", path);
  if (filesystem.f_type != NSFS_MAGIC) return Error{ENOTTY, "open namespace", path, {}};
  Fd fd(::open(fmt::format("/proc/self/fd/{}", handle.get()).c_str(), O_RDONLY | O_CLOEXEC));
  if (!fd) return system_error("open", path);
  return fd;
}

Result<Fd> parent_namespace(int namespace_fd) {
  const int fd = ::ioctl(namespace_fd, NS_GET_PARENT);  // close-on-exec: open_related_ns()
  if (fd < 0) return system_error("NS_GET_PARENT");
  return Fd(fd);
}

Result<uid_t> maker_of_user_namespace(int namespace_fd) {
  uid_t uid = 0;
  if (::ioctl(namespace_fd, NS_GET_OWNER_UID, &uid) != 0) return system_error("NS_GET_OWNER_UID");
  return uid;
}

Result<Fd> owning_user_namespace(int namespace_fd) {
  const int fd = ::ioctl(namespace_fd, NS_GET_USERNS);  // close-on-exec: open_related_ns()
  if (fd < 0) return system_error("NS_GET_USERNS");
  return Fd(fd);
}

Result<pid_t> pid_from_namespace(int pid_namespace_fd, pid_t pid) {
  const int translated = ::ioctl(pid_namespace_fd, NS_GET_PID_FROM_PIDNS, pid);
  if (translated < 0) return system_error("NS_GET_PID_FROM_PIDNS");
  return static_cast<pid_t>(translated);
}

}  // namespace holdfast::kernel
