// SPDX-License-Identifier: Apache-2.0
#include "kernel/bpf/bpffs.h"

#include <fcntl.h>
#include <linux/bpf.h>
#include <linux/openat2.h>
#include <sys/mount.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

namespace holdfast::kernel {
namespace {

// The file system's message about the last error ("e bpf: Unknown parameter 'x'"), without the
// level.
std::string context_message(int context_fd) {
  char text[256];
  const ssize_t bytes = ::read(context_fd, text, sizeof(text));
  if (bytes <= 2) return "";
  return std::string(text + 2, static_cast<std::size_t>(bytes - 2));
}

long token_create(int root_fd) {
  bpf_attr attr;
  std::memset(&attr, 0, sizeof(attr));
  attr.token_create.bpffs_fd = static_cast<__u32>(root_fd);
  return ::syscall(SYS_bpf, BPF_TOKEN_CREATE, &attr, sizeof(attr));
}

}  // namespace

Result<Fd> open_bpffs_context() {
  Fd context(::fsopen("bpf", FSOPEN_CLOEXEC));
  if (!context) return Error{errno, "fsopen", "bpf", ""};
  return context;
}

Result<void> create_bpffs(int context_fd, const std::vector<FsOption>& options) {
  for (const FsOption& option : options) {
    if (::fsconfig(context_fd, FSCONFIG_SET_STRING, option.key.c_str(), option.value.c_str(), 0) !=
        0)
      return Error{errno, "set", option.key + "=" + option.value, context_message(context_fd)};
  }
  if (::fsconfig(context_fd, FSCONFIG_CMD_CREATE, nullptr, nullptr, 0) != 0)
    return Error{errno, "create a BPF filesystem", "", context_message(context_fd)};
  return {};
}

Result<Fd> mount_bpffs(int context_fd) {
  Fd mount(::fsmount(context_fd, FSMOUNT_CLOEXEC,
                     MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV | MOUNT_ATTR_NOEXEC));
  if (!mount) return Error{errno, "fsmount", "bpf", ""};
  return mount;
}

Result<void> attach_mount(int mount_fd, const std::string& root, const std::string& path) {
  const Fd top(::open(root.empty() ? "/" : root.c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC));
  if (!top) return Error{errno, "open", root, ""};
  open_how how{};
  how.flags = O_PATH | O_DIRECTORY | O_CLOEXEC;
  how.resolve = root.empty() ? 0 : RESOLVE_IN_ROOT;
  const Fd place(
      static_cast<int>(::syscall(SYS_openat2, top.get(), path.c_str(), &how, sizeof(how))));
  if (!place) return Error{errno, "mount on", root + path, ""};
  if (::move_mount(mount_fd, "", place.get(), "",
                   MOVE_MOUNT_F_EMPTY_PATH | MOVE_MOUNT_T_EMPTY_PATH) != 0)
    return Error{errno, "mount on", root + path, ""};
  return {};
}

Result<void> detach_mount(const std::string& path) {
  if (::umount2(path.c_str(), MNT_DETACH) != 0) return Error{errno, "unmount", path, ""};
  return {};
}

Result<Fd> create_bpf_token(int root_fd) {
  const long fd = token_create(root_fd);
  if (fd < 0) return Error{errno, "create a BPF token", "", ""};
  return Fd(static_cast<int>(fd));
}

Result<void> probe_bpf_tokens() {
  // Use an invalid descriptor. A kernel with the command returns EBADF. A kernel without it returns
  // EINVAL, or EPERM if unprivileged BPF is disabled.
  const long fd = token_create(-1);
  if (fd >= 0) {
    ::close(static_cast<int>(fd));
    return {};
  }
  if (errno == EBADF) return {};
  return Error{ENOSYS, "this kernel has no BPF tokens", "", "Linux 6.9 or later has them"};
}

}  // namespace holdfast::kernel
