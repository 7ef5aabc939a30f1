// SPDX-License-Identifier: Apache-2.0
//
// Between fork and exec. Only async-signal-safe calls: no allocation, no locks, no C++ runtime.
//
// The safety depends on this order:
//   1. Close the inherited copy of the parent's end of the channel, so that the channel ends with
//      the parent. Then set PDEATHSIG. If the parent dies earlier, the child reads the end of the
//      channel, or the self-test fails because the listener is gone. So the child never reaches
//      exec without its parent.
//   2. Do the steps that need privilege in the new namespaces: lo, mounts, /proc.
//   3. Restrict by Landlock, then install the seccomp filter. From here on the child is as confined
//      as the command. So is the init process of a new pid namespace. Else the command could take
//      it over with ptrace.
//   4. The parent copies the listener from this process (pidfd_getfd(2)). The child sends its
//      number before it installs the filter. Some policies notify sendmsg, which the parent cannot
//      answer before it has the listener.
//   5. Make the self-test call, which the parent answers through the listener. Then close the
//      listener here: no task of the tree may answer notifications. Then wait for the release.
#include "kernel/process/child.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/landlock.h>
#include <net/if.h>
#include <sched.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "kernel/process/seccomp.h"

namespace holdfast::kernel {
namespace {

constexpr int kExitNotReady = 125;
constexpr int kExitCannotExecute = 126;
constexpr int kExitNotFound = 127;

void send_report(const ChildSpec& spec, const ChildReport& report) {
  while (send(spec.channel_fd, &report, sizeof(report), MSG_NOSIGNAL) < 0)
    if (errno != EINTR) _exit(kExitNotReady);  // no parent supervises the command
}

[[noreturn]] void fail(const ChildSpec& spec, ChildStep step, int exit_code) {
  send_report(spec, {ChildReport::Kind::failed, step, errno, -1});
  _exit(exit_code);
}

void wait_for_byte(const ChildSpec& spec, char wanted) {
  char got = 0;
  ssize_t length;
  do {
    length = read(spec.channel_fd, &got, 1);
  } while (length < 0 && errno == EINTR);
  if (length != 1 || got != wanted) _exit(kExitNotReady);  // the parent died or gave up
}

void set_loopback_up(const ChildSpec& spec) {
  const int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
  ifreq request = {};
  memcpy(request.ifr_name, "lo", 3);
  request.ifr_flags = IFF_UP | IFF_LOOPBACK | IFF_RUNNING;
  if (fd < 0 || ioctl(fd, SIOCSIFFLAGS, &request) != 0)
    fail(spec, ChildStep::loopback, kExitNotReady);
  close(fd);
}

void set_up_namespaces(const ChildSpec& spec) {
  if (spec.loopback) set_loopback_up(spec);
  if (spec.private_mounts && mount("", "/", nullptr, MS_REC | MS_PRIVATE, nullptr) != 0)
    fail(spec, ChildStep::mount_propagation, kExitNotReady);
  if (spec.mount_proc && mount("proc", "/proc", "proc", MS_NOSUID | MS_NODEV | MS_NOEXEC, nullptr))
    fail(spec, ChildStep::mount_proc, kExitNotReady);
}

// The filter notifies this setns call. The expected error shows that the supervisor
// answered.
void run_self_test(const ChildSpec& spec) {
  const long result = syscall(SYS_setns, -1, kSelfTestArgument);
  if (result == 0 || errno != kSelfTestError) fail(spec, ChildStep::self_test, kExitNotReady);
}

// The outer run answers with the errno of the self-test when it holds this process.
void join_nested_run(const ChildSpec& spec) {
  const long result = syscall(SYS_seccomp, kNestedRunOperation, NestedRunCommand::join, spec.join);
  if (result == 0 || errno != kSelfTestError) fail(spec, ChildStep::self_test, kExitNotReady);
  send_report(spec, {ChildReport::Kind::self_test_held, ChildStep::none, 0, -1});
}

// The ruleset was made from the mounts of the parent, so it does not know the new /proc. A ruleset
// that does not restrict writing takes no such rule: EINVAL.
void allow_writing_below_proc(const ChildSpec& spec) {
  const int proc = open("/proc", O_PATH | O_DIRECTORY | O_CLOEXEC);
  if (proc < 0) fail(spec, ChildStep::landlock, kExitNotReady);
  const landlock_path_beneath_attr rule = {.allowed_access = LANDLOCK_ACCESS_FS_WRITE_FILE,
                                           .parent_fd = proc};
  if (syscall(SYS_landlock_add_rule, spec.landlock_fd, LANDLOCK_RULE_PATH_BENEATH, &rule, 0) != 0 &&
      errno != EINVAL)
    fail(spec, ChildStep::landlock, kExitNotReady);
  close(proc);
}

void confine(const ChildSpec& spec) {
  if (spec.no_new_privs && prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0)
    fail(spec, ChildStep::no_new_privs, kExitNotReady);
  if (spec.landlock_fd >= 0 && spec.mount_proc) allow_writing_below_proc(spec);
  if (spec.landlock_fd >= 0 && syscall(SYS_landlock_restrict_self, spec.landlock_fd, 0) != 0)
    fail(spec, ChildStep::landlock, kExitNotReady);
  if (!spec.filter) {
    send_report(spec, {ChildReport::Kind::ready, ChildStep::none, 0, -1});
    if (spec.join != 0) join_nested_run(spec);
    return;
  }
  // The lowest free number, which the next new descriptor gets.
  const int number = fcntl(spec.channel_fd, F_DUPFD_CLOEXEC, 0);
  if (number < 0) fail(spec, ChildStep::seccomp, kExitNotReady);
  close(number);
  send_report(spec, {ChildReport::Kind::ready, ChildStep::none, 0, number});
  const int listener_fd =
      static_cast<int>(syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, kListenerFlags, spec.filter));
  if (listener_fd != number) fail(spec, ChildStep::seccomp, kExitNotReady);
  run_self_test(spec);
  close(listener_fd);
  send_report(spec, {ChildReport::Kind::self_test_held, ChildStep::none, 0, -1});
}

// As execvp(3): executes the first path that exists and is executable. After EACCES it tries the
// later paths, and reports EACCES if none works. After ENOEXEC it runs the file with /bin/sh.
[[noreturn]] void exec_command(const ChildSpec& spec) {
  int error = ENOENT;
  for (const char* const* path = spec.paths; *path; path++) {
    execve(*path, spec.arguments, spec.environment);
    if (errno == ENOEXEC) {
      spec.shell_arguments[1] = const_cast<char*>(*path);
      execve(spec.shell_arguments[0], spec.shell_arguments, spec.environment);
      errno = ENOEXEC;
    }
    if (errno == ENOENT || errno == ENOTDIR) continue;
    // Ignore a directory of PATH that this user may not search.
    if (errno == EACCES && spec.paths[1] && access(*path, F_OK) != 0) continue;
    error = errno;
    if (errno != EACCES) break;
  }
  errno = error;
  fail(spec, ChildStep::exec, error == ENOENT ? kExitNotFound : kExitCannotExecute);
}

int exit_code(int status) {
  return WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
}

// Closes all descriptors, since the command may read this process's, but not `kept`.
void close_all_but(int kept) {
  if (kept > 0) syscall(SYS_close_range, 0u, static_cast<unsigned>(kept) - 1, 0u);
  syscall(SYS_close_range, static_cast<unsigned>(kept) + 1, ~0u, 0u);
}

// Reaps all children. Exits when the command ends, or, with init_waits, when no other task is left.
// The kernel then kills all other tasks of the namespace. Forwards the signals that the parent
// forwards, which have kForwardedValue: to the command, and after its end to all tasks. Signals of
// the terminal and of other senders to the process group reach the command directly.
[[noreturn]] void run_init(const ChildSpec& spec, pid_t command) {
  close_all_but(spec.init_waits ? spec.channel_fd : -1);
  sigset_t all;
  sigfillset(&all);
  int code = 0;
  for (;;) {
    siginfo_t info = {};
    const int signal = sigwaitinfo(&all, &info);
    if (signal > 0 && info.si_code == SI_QUEUE && info.si_value.sival_int == kForwardedValue)
      kill(command, signal);
    if (signal != SIGCHLD) continue;
    int status = 0;
    pid_t pid = 0;
    while ((pid = waitpid(-1, &status, WNOHANG | __WALL)) > 0) {
      if (pid != command) continue;
      code = exit_code(status);
      if (!spec.init_waits) _exit(code);
      command = -1;
      const ChildReport report = {ChildReport::Kind::command_ended, ChildStep::none, 0, -1};
      (void)!send(spec.channel_fd, &report, sizeof(report), MSG_NOSIGNAL | MSG_DONTWAIT);
    }
    if (command < 0 && pid < 0 && errno == ECHILD) _exit(code);
  }
}

void split_into_init_and_command(const ChildSpec& spec) {
  sigset_t all;
  sigfillset(&all);
  sigprocmask(SIG_BLOCK, &all, nullptr);
  int closed[2];
  if (pipe2(closed, O_CLOEXEC) != 0) fail(spec, ChildStep::fork_command, kExitNotReady);
  const pid_t command = static_cast<pid_t>(syscall(SYS_clone, SIGCHLD, 0, 0, 0, 0));
  if (command < 0) fail(spec, ChildStep::fork_command, kExitNotReady);
  if (command > 0) run_init(spec, command);
  // Waits until the init has closed its descriptors. The command is what they must be kept from.
  close(closed[1]);
  char none;
  while (read(closed[0], &none, 1) < 0 && errno == EINTR) {
  }
  close(closed[0]);
  // A call that the supervisor decides; it returns EBADF. Only a task with the filter can make it.
  // So the supervisor can distinguish the command from other children of this namespace's init.
  syscall(SYS_setns, -1, 0);
}

}  // namespace

void run_child(const ChildSpec& spec) {
  close(spec.parent_channel_fd);
  if (prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0) != 0) fail(spec, ChildStep::prepare, kExitNotReady);
  if (spec.wait_for_maps) wait_for_byte(spec, kChildMapsWritten);
  set_up_namespaces(spec);
  confine(spec);
  wait_for_byte(spec, kChildRelease);
  if (spec.init) split_into_init_and_command(spec);
  if (spec.descriptors) setrlimit(RLIMIT_NOFILE, spec.descriptors);
  if (spec.ignore_child_signal) signal(SIGCHLD, SIG_IGN);
  sigprocmask(SIG_SETMASK, spec.signal_mask, nullptr);
  exec_command(spec);
}

}  // namespace holdfast::kernel
