// SPDX-License-Identifier: Apache-2.0
#include "kernel/probe.h"

#include <fcntl.h>
#include <linux/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>

#include "base/fd.h"
#include "kernel/process/process.h"

namespace holdfast::kernel {

namespace {

// linux/proc_ns.h, PROC_USER_INIT_INO: the same number on every kernel.
constexpr ino_t kInitialUserNamespace = 0xEFFFFFFDu;

Result<std::string> read_all(int fd, const char* name) {
  std::string text;
  std::array<char, 4096> part;
  for (;;) {
    const ssize_t bytes = read(fd, part.data(), part.size());
    if (bytes < 0) return Error{errno, "read", name, {}};
    if (bytes == 0) return text;
    text.append(part.data(), static_cast<std::size_t>(bytes));
  }
}

// securityfs has one instance, so a detached mount of our own shows the same files.
Fd open_unmounted_lsm_list() {
  const Fd context(static_cast<int>(syscall(SYS_fsopen, "securityfs", FSOPEN_CLOEXEC)));
  if (!context) return {};
  if (syscall(SYS_fsconfig, context.get(), FSCONFIG_CMD_CREATE, nullptr, nullptr, 0) != 0)
    return {};
  const Fd mount(static_cast<int>(syscall(SYS_fsmount, context.get(), FSMOUNT_CLOEXEC, 0)));
  if (!mount) return {};
  return Fd(openat(mount.get(), "lsm", O_RDONLY | O_CLOEXEC));
}

}  // namespace

bool has_kernel_types() { return access("/sys/kernel/btf/vmlinux", R_OK) == 0; }

Result<std::vector<std::string>> active_lsms() {
  Fd list(open("/sys/kernel/security/lsm", O_RDONLY | O_CLOEXEC));
  if (!list) list = open_unmounted_lsm_list();
  if (!list) return Error{errno, "list security modules", "/sys/kernel/security/lsm", {}};
  HF_TRY_ASSIGN(auto text, read_all(list.get(), "/sys/kernel/security/lsm"));
  std::vector<std::string> names;
  for (std::size_t begin = 0; begin < text.size();) {
    const std::size_t end = std::min(text.find_first_of(",\n", begin), text.size());
    if (end > begin) names.push_back(text.substr(begin, end - begin));
    begin = end + 1;
  }
  return names;
}

Result<bool> is_lsm_active(std::string_view name) {
  HF_TRY_ASSIGN(const auto names, active_lsms());
  return std::find(names.begin(), names.end(), name) != names.end();
}

bool may_load_bpf() {
  struct stat user {};
  return has_sys_admin() && stat("/proc/self/ns/user", &user) == 0 &&
         user.st_ino == kInitialUserNamespace;
}

}  // namespace holdfast::kernel
