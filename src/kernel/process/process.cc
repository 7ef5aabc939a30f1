// SPDX-License-Identifier: Apache-2.0
#include "kernel/process/process.h"

#include <fcntl.h>
#include <linux/capability.h>
#include <linux/kcmp.h>
#include <linux/sched.h>
#include <poll.h>
#include <spawn.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <cstring>

#include "kernel/files/text_file.h"
#include "kernel/system_error.h"

namespace holdfast::kernel {

Result<ForkedChild> fork_child(std::uint64_t clone_flags, const ChildSpec& spec) {
  int pidfd = -1;
  clone_args arguments = {};
  arguments.flags = clone_flags | CLONE_PIDFD;
  arguments.pidfd = reinterpret_cast<std::uintptr_t>(&pidfd);
  arguments.exit_signal = SIGCHLD;
  long pid = ::syscall(SYS_clone3, &arguments, sizeof(arguments));
  // In a run that a seccomp filter holds there is only clone(2). It has no CLONE_NEWTIME.
  if (pid < 0 && errno == ENOSYS && !(clone_flags & CLONE_NEWTIME))
    pid = ::syscall(SYS_clone, clone_flags | CLONE_PIDFD | SIGCHLD, 0, &pidfd, 0, 0);
  if (pid < 0) return system_error("clone3");
  if (pid == 0) run_child(spec);
  return ForkedChild{static_cast<pid_t>(pid), Fd(pidfd)};
}

Result<std::array<Fd, 2>> make_channel() {
  int ends[2];
  if (::socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) != 0)
    return system_error("socketpair");
  return std::array<Fd, 2>{Fd(ends[0]), Fd(ends[1])};
}

Result<void> send_byte(int channel_fd, char byte) {
  if (::send(channel_fd, &byte, 1, MSG_NOSIGNAL) != 1) return system_error("send to the child");
  return {};
}

Result<std::optional<ChildReport>> receive_report(int channel_fd) {
  ChildReport report = {};
  ssize_t length = 0;
  do {
    length = ::recv(channel_fd, &report, sizeof(report), 0);
  } while (length < 0 && errno == EINTR);
  // ECONNRESET: the child died before it read all data.
  if (length == 0 || (length < 0 && errno == ECONNRESET))
    return std::optional<ChildReport>(std::nullopt);
  if (length != sizeof(report)) return system_error("receive from the child");
  return std::optional(report);
}

Result<Fd> open_pidfd(pid_t pid) {
  Fd fd(static_cast<int>(::syscall(SYS_pidfd_open, pid, 0)));
  if (!fd) return system_error("pidfd_open");
  return fd;
}

Result<Fd> open_thread_pidfd(pid_t tid) {
  constexpr unsigned kPidfdThread = O_EXCL;  // PIDFD_THREAD
  Fd fd(static_cast<int>(::syscall(SYS_pidfd_open, tid, kPidfdThread)));
  if (!fd) return system_error("pidfd_open");
  return fd;
}

Result<bool> share_descriptors(pid_t one, pid_t other) {
  const long order = ::syscall(SYS_kcmp, one, other, KCMP_FILES, 0, 0);
  if (order < 0) return system_error("kcmp");
  return order == 0;
}

Result<Fd> duplicate_from(int pidfd, int remote_fd) {
  Fd fd(static_cast<int>(::syscall(SYS_pidfd_getfd, pidfd, remote_fd, 0)));
  if (!fd) return system_error("pidfd_getfd");
  return fd;
}

Result<Fd> duplicate(int fd) {
  Fd copy(::fcntl(fd, F_DUPFD_CLOEXEC, 3));
  if (!copy) return system_error("duplicate a descriptor");
  return copy;
}

Result<void> signal_process(int pidfd, int signal) {
  if (::syscall(SYS_pidfd_send_signal, pidfd, signal, nullptr, 0) != 0)
    return system_error("pidfd_send_signal");
  return {};
}

Result<void> signal_process_with(int pidfd, int signal, int value) {
  siginfo_t info = {};
  info.si_signo = signal;
  info.si_code = SI_QUEUE;
  info.si_pid = ::getpid();
  info.si_uid = ::getuid();
  info.si_value.sival_int = value;
  if (::syscall(SYS_pidfd_send_signal, pidfd, signal, &info, 0) != 0)
    return system_error("pidfd_send_signal");
  return {};
}

std::optional<ChildChange> next_child_change() {
  using Kind = ChildChange::Kind;
  int status = 0;
  const pid_t pid = ::waitpid(-1, &status, WNOHANG | WUNTRACED | WCONTINUED | __WALL);
  if (pid <= 0) return std::nullopt;
  if (WIFSTOPPED(status)) return ChildChange{Kind::stopped, pid, WSTOPSIG(status)};
  if (WIFCONTINUED(status)) return ChildChange{Kind::continued, pid, 0};
  if (WIFSIGNALED(status)) return ChildChange{Kind::killed, pid, WTERMSIG(status)};
  return ChildChange{Kind::exited, pid, WEXITSTATUS(status)};
}

namespace {

void raise_unblocked(int signal) {
  sigset_t one;
  sigset_t before;
  sigemptyset(&one);
  sigaddset(&one, signal);
  (void)::raise(signal);
  (void)::pthread_sigmask(SIG_UNBLOCK, &one, &before);
  (void)::pthread_sigmask(SIG_SETMASK, &before, nullptr);
}

}  // namespace

void stop_by(int signal) { raise_unblocked(signal); }

void end_by(int signal) {
  const rlimit none = {};
  (void)::setrlimit(RLIMIT_CORE, &none);
  (void)::signal(signal, SIG_DFL);
  raise_unblocked(signal);
}

bool has_controlling_terminal() {
  return static_cast<bool>(Fd(::open("/dev/tty", O_RDWR | O_NOCTTY | O_NONBLOCK | O_CLOEXEC)));
}

bool in_own_group(pid_t pid) { return ::getpgid(pid) == ::getpgrp(); }

Result<Fd> start_own_program(const std::string& argument, const std::vector<int>& descriptors) {
  constexpr int kFirst = 3;
  constexpr int kAbove = 32;  // higher than every target number
  std::vector<Fd> copies;
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  posix_spawnattr_t attributes;
  posix_spawnattr_init(&attributes);
  sigset_t none;
  sigemptyset(&none);
  posix_spawnattr_setsigmask(&attributes, &none);
  posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGMASK);
  int failed = 0;
  for (std::size_t i = 0; i < descriptors.size() && failed == 0; i++) {
    copies.emplace_back(::fcntl(descriptors[i], F_DUPFD_CLOEXEC, kAbove));
    if (!copies.back()) failed = errno;
    if (failed == 0)
      failed = posix_spawn_file_actions_adddup2(&actions, copies.back().get(),
                                                kFirst + static_cast<int>(i));
  }
  std::string name = "holdfastd";
  std::string word = argument;
  char* const arguments[] = {name.data(), word.data(), nullptr};
  char* const environment[] = {nullptr};
  pid_t pid = -1;
  if (failed == 0)
    failed = ::posix_spawn(&pid, "/proc/self/exe", &actions, &attributes, arguments, environment);
  posix_spawnattr_destroy(&attributes);
  posix_spawn_file_actions_destroy(&actions);
  if (failed != 0) return Error{failed, "start", argument, {}};
  return open_pidfd(pid);  // the number is valid: the child is at least a zombie until it is reaped
}

bool reap(int pidfd) {
  siginfo_t info = {};
  return ::waitid(static_cast<idtype_t>(P_PIDFD), static_cast<id_t>(pidfd), &info,
                  WEXITED | WNOHANG) != 0 ||
         info.si_pid != 0;
}

std::optional<int> reap_exit_code(int pidfd) {
  siginfo_t info = {};
  if (::waitid(static_cast<idtype_t>(P_PIDFD), static_cast<id_t>(pidfd), &info,
               WEXITED | WNOHANG) != 0)
    return -1;
  if (info.si_pid == 0) return std::nullopt;
  return info.si_code == CLD_EXITED ? info.si_status : 128 + info.si_status;
}

Result<Fd> start_daemon(const std::string& program, const std::string& argument,
                        const std::string& log_path) {
  const Fd log(
      ::open(log_path.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC | O_NOFOLLOW, 0600));
  if (!log) return system_error("open", log_path);
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_addopen(&actions, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
  posix_spawn_file_actions_adddup2(&actions, log.get(), STDOUT_FILENO);
  posix_spawn_file_actions_adddup2(&actions, log.get(), STDERR_FILENO);
  posix_spawn_file_actions_addchdir_np(&actions, "/");
  posix_spawn_file_actions_addclosefrom_np(&actions, STDERR_FILENO + 1);
  posix_spawnattr_t attributes;
  posix_spawnattr_init(&attributes);
  sigset_t signals;
  sigemptyset(&signals);
  posix_spawnattr_setsigmask(&attributes, &signals);
  sigfillset(&signals);
  posix_spawnattr_setsigdefault(&attributes, &signals);
  posix_spawnattr_setflags(&attributes,
                           POSIX_SPAWN_SETSID | POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF);
  std::string name = program;
  std::string word = argument;
  char* const arguments[] = {name.data(), word.data(), nullptr};
  char* const environment[] = {nullptr};
  pid_t pid = -1;
  const int failed =
      ::posix_spawn(&pid, program.c_str(), &actions, &attributes, arguments, environment);
  posix_spawnattr_destroy(&attributes);
  posix_spawn_file_actions_destroy(&actions);
  if (failed != 0) return Error{failed, "start", program, {}};
  return open_pidfd(pid);
}

void end_with_parent() { (void)::prctl(PR_SET_PDEATHSIG, SIGKILL); }

void set_command_name(const char* name) { (void)::prctl(PR_SET_NAME, name); }

int wait_for_end(pid_t child) {
  int status = -1;
  while (::waitpid(child, &status, 0) < 0 && errno == EINTR) {
  }
  return status;
}

Result<Fd> open_signalfd(const sigset_t& signals, sigset_t* previous) {
  if (::sigprocmask(SIG_BLOCK, &signals, previous) != 0) return system_error("sigprocmask");
  Fd fd(::signalfd(-1, &signals, SFD_CLOEXEC | SFD_NONBLOCK));
  if (!fd) return system_error("signalfd");
  return fd;
}

std::optional<Signal> read_signal(int signal_fd) {
  signalfd_siginfo info = {};
  if (::read(signal_fd, &info, sizeof(info)) != sizeof(info)) return std::nullopt;
  return Signal{static_cast<int>(info.ssi_signo), info.ssi_code <= 0};
}

Result<void> occupy_standard_descriptors() {
  for (int fd = 0; fd <= 2; fd++) {
    if (::fcntl(fd, F_GETFD) >= 0) continue;
    // open() returns the lowest free number, which is `fd`.
    if (::open("/dev/null", O_RDWR | O_CLOEXEC) != fd) return system_error("open", "/dev/null");
  }
  return {};
}

Result<void> set_file_lock_limit(pid_t process, std::uint64_t limit) {
  const rlimit both = {limit, limit};
  if (::prlimit(process, RLIMIT_LOCKS, &both, nullptr) != 0) return system_error("prlimit");
  return {};
}

void release_input_and_output() {
  const Fd null(::open("/dev/null", O_RDWR | O_CLOEXEC));
  if (!null) return;
  for (const int stream : {STDIN_FILENO, STDOUT_FILENO})
    (void)::dup3(null.get(), stream, O_CLOEXEC);
}

Result<void> make_undumpable() {
  if (::prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) != 0) return system_error("PR_SET_DUMPABLE");
  return {};
}

Result<void> become_subreaper() {
  if (::prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) != 0)
    return system_error("PR_SET_CHILD_SUBREAPER");
  return {};
}

namespace {

std::optional<rlimit> limit_before;

}  // namespace

const rlimit* descriptor_limit_before() { return limit_before ? &*limit_before : nullptr; }

Result<bool> stop_ignoring_children() {
  struct sigaction before = {};
  struct sigaction action = {};
  action.sa_handler = SIG_DFL;
  if (::sigaction(SIGCHLD, &action, &before) != 0) return system_error("sigaction");
  return before.sa_handler == SIG_IGN;
}

void raise_descriptor_limit() {
  rlimit limit = {};
  if (::getrlimit(RLIMIT_NOFILE, &limit) != 0) return;
  if (!limit_before) limit_before = limit;
  limit.rlim_cur = limit.rlim_max;
  (void)::setrlimit(RLIMIT_NOFILE, &limit);
}

bool has_sys_admin() {
  __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3, .pid = 0};
  __user_cap_data_struct data[2] = {};
  if (::syscall(SYS_capget, &header, data) != 0) return false;
  return (data[CAP_SYS_ADMIN / 32].effective >> (CAP_SYS_ADMIN % 32)) & 1u;
}

pid_t own_pid() { return ::getpid(); }

std::uint64_t boottime_ns() {
  timespec now = {};
  ::clock_gettime(CLOCK_BOOTTIME, &now);
  return static_cast<std::uint64_t>(now.tv_sec) * 1'000'000'000u +
         static_cast<std::uint64_t>(now.tv_nsec);
}

std::string boot_id() {
  auto id = read_text_file("/proc/sys/kernel/random/boot_id");
  if (!id) return {};
  return id->substr(0, id->find('\n'));
}

void sleep_us(unsigned microseconds) {
  const timespec time = {.tv_sec = static_cast<time_t>(microseconds / 1'000'000),
                         .tv_nsec = static_cast<long>(microseconds % 1'000'000) * 1000};
  (void)::nanosleep(&time, nullptr);
}

void interrupt_every(unsigned microseconds) {
  struct sigaction action = {};
  action.sa_handler = [](int) {};
  (void)::sigaction(SIGALRM, &action, nullptr);
  const timeval time = {.tv_sec = static_cast<time_t>(microseconds / 1'000'000),
                        .tv_usec = static_cast<suseconds_t>(microseconds % 1'000'000)};
  const itimerval timer = {.it_interval = time, .it_value = time};
  (void)::setitimer(ITIMER_REAL, &timer, nullptr);
}

Result<std::vector<short>> poll_readable(const std::vector<int>& fds, int timeout_ms) {
  std::vector<Awaited> awaited;
  awaited.reserve(fds.size());
  for (const int fd : fds) awaited.push_back({fd, POLLIN});
  return poll_for(awaited, timeout_ms);
}

Result<std::vector<short>> poll_for(const std::vector<Awaited>& awaited, int timeout_ms) {
  std::vector<pollfd> polled;
  polled.reserve(awaited.size());
  for (const Awaited& one : awaited)
    polled.push_back({.fd = one.fd, .events = one.events, .revents = 0});
  std::vector<short> events(awaited.size(), 0);
  if (::poll(polled.data(), polled.size(), timeout_ms) < 0) {
    if (errno == EINTR) return events;
    return system_error("poll");
  }
  for (std::size_t i = 0; i < awaited.size(); i++) events[i] = polled[i].revents;
  return events;
}

}  // namespace holdfast::kernel
