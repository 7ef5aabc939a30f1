// SPDX-License-Identifier: Apache-2.0
//
// There are two forks, because setns(2) on a pid namespace affects only later children. The second
// child is made a child of the caller (CLONE_PARENT), so that the caller can wait for it. Both
// children have a copy of the memory of a process with one thread.
#include "kernel/process/namespaced_program.h"

#include <fcntl.h>
#include <linux/mount.h>
#include <sched.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>

#include "base/fd.h"
#include "kernel/process/process.h"
#include "kernel/system_error.h"

namespace holdfast::kernel {
namespace {

constexpr char kOwnDescriptors[] = "/proc/self/fd";
constexpr int kProgramFd = 4;
constexpr unsigned kRecursive = 0x8000;  // AT_RECURSIVE

// The first child's only message.
struct Report {
  int error = 0;
  pid_t pid = -1;
};

// 0, or an errno. The user namespace comes first: the other setns(2) calls need its capabilities.
int join(const std::array<int, kNamespaceTypeCount>& namespace_fd) {
  const auto enter = [&](unsigned bit) {
    const int fd = namespace_fd[bit];
    const int flag = static_cast<int>(kNamespaceTypes[bit].clone_flag);
    return fd < 0 || ::setns(fd, flag) == 0;
  };
  if (!enter(kUserNamespace)) return errno;
  for (unsigned bit = 0; bit < kNamespaceTypeCount; bit++)
    if (bit != kUserNamespace && !enter(bit)) return errno;
  return 0;
}

// Changes to /proc/self/fd in a detached mount. EPERM means no CAP_SYS_ADMIN over the mount
// namespace: then no task with the same credentials can mount there, and the visible /proc is safe.
bool enter_own_descriptors() {
  const auto made = ::syscall(SYS_open_tree, AT_FDCWD, kOwnDescriptors,
                              OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | kRecursive);
  if (made < 0) return errno == EPERM && ::chdir(kOwnDescriptors) == 0;
  const int mount_fd = static_cast<int>(made);
  mount_attr attributes = {};
  attributes.propagation = MS_PRIVATE;
  return ::syscall(SYS_mount_setattr, mount_fd, "", AT_EMPTY_PATH, &attributes,
                   sizeof(attributes)) == 0 &&
         ::fchdir(mount_fd) == 0;
}

// Only system calls from here on: the C library does not know of the raw clone(2).
[[noreturn]] void exec_program(int program_fd, int channel_fd, const char* argument) {
  constexpr int kFailed = 127;
  sigset_t none;
  sigemptyset(&none);
  if (!enter_own_descriptors()) ::_exit(kFailed);
  const int null_fd = ::open("/dev/null", O_RDWR | O_CLOEXEC);
  for (int fd = 0; fd <= 2; fd++)
    if (null_fd < 0 || ::dup2(null_fd, fd) < 0) ::_exit(kFailed);
  // Copy both above the target numbers first, so that neither overwrites the other.
  const int channel_copy = ::fcntl(channel_fd, F_DUPFD_CLOEXEC, kProgramFd + 1);
  const int program_copy = ::fcntl(program_fd, F_DUPFD_CLOEXEC, kProgramFd + 1);
  if (channel_copy < 0 || ::dup2(channel_copy, kProgramChannelFd) < 0 || program_copy < 0 ||
      ::dup3(program_copy, kProgramFd, O_CLOEXEC) < 0 ||
      ::syscall(SYS_close_range, kProgramFd + 1, ~0u, 0u) != 0 ||
      ::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0 ||
      ::sigprocmask(SIG_SETMASK, &none, nullptr) != 0)
    ::_exit(kFailed);
  char name[] = "holdfast";
  char* const arguments[] = {name, const_cast<char*>(argument), nullptr};
  char* const environment[] = {nullptr};
  ::syscall(SYS_execveat, kProgramFd, "", arguments, environment, AT_EMPTY_PATH);
  ::_exit(kFailed);
}

}  // namespace

Result<pid_t> start_own_program_in(const std::array<int, kNamespaceTypeCount>& namespace_fd,
                                   const std::string& argument, int channel_fd) {
  const Fd program(::open("/proc/self/exe", O_PATH | O_CLOEXEC));
  if (!program) return system_error("open", "/proc/self/exe");
  HF_TRY_ASSIGN(auto ends, make_channel());
  const pid_t first = ::fork();
  if (first < 0) return system_error("fork");
  if (first == 0) {
    Report report{join(namespace_fd), -1};
    if (report.error == 0) {
      report.pid = static_cast<pid_t>(::syscall(SYS_clone, CLONE_PARENT | SIGCHLD, 0, 0, 0, 0));
      if (report.pid == 0) exec_program(program.get(), channel_fd, argument.c_str());
      if (report.pid < 0) report.error = errno;
    }
    ::_exit(::send(ends[1].get(), &report, sizeof(report), MSG_NOSIGNAL) < 0);
  }
  ends[1].reset();
  wait_for_end(first);
  Report report{ECANCELED, -1};
  if (::recv(ends[0].get(), &report, sizeof(report), MSG_DONTWAIT) != sizeof(report))
    return Error{ECANCELED, "start a process in namespaces", {}, "it died"};
  if (report.error != 0) return Error{report.error, "start a process in namespaces", {}, {}};
  return report.pid;
}

Result<void> become_opaque() {
  const rlimit none = {};
  if (::setrlimit(RLIMIT_CORE, &none) != 0) return system_error("RLIMIT_CORE");
  return make_undumpable();
}

}  // namespace holdfast::kernel
