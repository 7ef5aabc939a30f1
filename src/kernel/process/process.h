// SPDX-License-Identifier: Apache-2.0
// Starts, watches and signals processes, and changes properties of this process.
#ifndef HOLDFAST_KERNEL_PROCESS_PROCESS_H
#define HOLDFAST_KERNEL_PROCESS_PROCESS_H

#include <signal.h>
#include <sys/resource.h>
#include <sys/types.h>

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/fd.h"
#include "base/result.h"
#include "kernel/process/child.h"

namespace holdfast::kernel {

struct ForkedChild {
  pid_t pid = -1;
  Fd pidfd;
};

// clone3(2) with CLONE_NEW* flags. The child runs only run_child(spec). The caller must have one
// thread. Errors: EPERM, no privilege for these namespaces; ENOSPC, a limit on their number or
// depth; of clone3(2).
Result<ForkedChild> fork_child(std::uint64_t clone_flags, const ChildSpec& spec);

// The two ends of a SOCK_SEQPACKET channel. Errors: of socketpair(2).
Result<std::array<Fd, 2>> make_channel();
// Errors: of send(2); EPIPE without a signal.
Result<void> send_byte(int channel_fd, char byte);

// Waits for one report. nullopt: the other end is closed. Errors: of recv(2).
Result<std::optional<ChildReport>> receive_report(int channel_fd);

// A pidfd of a process. Errors: ESRCH, no such process; EINVAL or ENOENT, a thread that is not the
// leader; of pidfd_open(2).
Result<Fd> open_pidfd(pid_t pid);
// A pidfd of one thread, for threads that do not share their leader's descriptor table. Errors:
// EINVAL, before Linux 6.9; ESRCH.
Result<Fd> open_thread_pidfd(pid_t tid);
// Whether both threads share a descriptor table. Errors: EPERM; ESRCH; ENOSYS, the kernel has no
// kcmp(2).
Result<bool> share_descriptors(pid_t one, pid_t other);
// A duplicate of another process's descriptor, close-on-exec. Errors: EBADF, it has no such
// descriptor; EPERM, the caller may not trace it; ESRCH.
Result<Fd> duplicate_from(int pidfd, int remote_fd);
// A duplicate of a descriptor, 3 or higher, close-on-exec. Errors: of fcntl(2).
Result<Fd> duplicate(int fd);
// Errors: ESRCH, it has been reaped; EPERM.
Result<void> signal_process(int pidfd, int signal);
// The same with si_code SI_QUEUE and this value.
Result<void> signal_process_with(int pidfd, int signal, int value);

// Starts this program again, with one argument and an empty environment. `descriptors`, borrowed,
// become its descriptors 3, 4, and so on. It also inherits 0 to 2, since all others are
// close-on-exec. Returns a pidfd. Errors: of fcntl(2), posix_spawn(3), pidfd_open(2).
Result<Fd> start_own_program(const std::string& argument, const std::vector<int>& descriptors);
// Starts a program in a session of its own, with this one argument, an empty environment, default
// signals and / as its directory. Its standard input is empty, and its output goes to the end of
// `log_path`, which is created for root alone. A child of this process. Returns a pidfd. Errors: of
// open(2), posix_spawn(3), pidfd_open(2).
Result<Fd> start_daemon(const std::string& program, const std::string& argument,
                        const std::string& log_path);
// Whether this child has ended. Reaps it. True also when it is not a child of this process.
[[nodiscard]] bool reap(int pidfd);
// The kernel sends SIGKILL to this process when its parent thread ends: PR_SET_PDEATHSIG. Has no
// effect if that has already happened.
void end_with_parent();
// Sets the name of the calling thread that ps(1) shows; at most 15 bytes.
void set_command_name(const char* name);

// What happened to a child.
struct ChildChange {
  enum class Kind { exited, killed, stopped, continued } kind;
  pid_t pid;
  int value;  // exited: its exit status; killed, stopped: the signal
};
// The next change of a child. Reaps one that has ended. Does not wait. nullopt: there is none.
std::optional<ChildChange> next_child_change();
// Stops this process by a signal as its default action would. A terminal's stop signal does nothing
// in an orphaned process group. Returns when this process has been continued.
void stop_by(int signal);
// Ends this process by a signal as its default action would, but without a core file. Returns if
// the default action is another.
void end_by(int signal);
// Whether this process has a controlling terminal.
[[nodiscard]] bool has_controlling_terminal();
// Whether `pid` is in this process's group.
[[nodiscard]] bool in_own_group(pid_t pid);
// The same, with its exit code; 128 and the signal that ended it; -1: not a child of this process.
// nullopt: it has not ended.
std::optional<int> reap_exit_code(int pidfd);
// Waits until this child has ended; signals do not end the wait. Returns the status of waitpid(2),
// or -1: not a child of this process.
int wait_for_end(pid_t child);

// A signal that this process received.
struct Signal {
  int number;
  bool sent;  // by a process, with kill(2) for example; false: by the kernel or a terminal
};
// Blocks the signals and returns a non-blocking signalfd(2) for them. `previous` receives the old
// mask. Errors: of sigprocmask(2), signalfd(2).
Result<Fd> open_signalfd(const sigset_t& signals, sigset_t* previous);
// nullopt: no signal is pending.
std::optional<Signal> read_signal(int signal_fd);

// Opens /dev/null, close-on-exec, for each closed descriptor of 0, 1 and 2. So no later open can
// become a standard stream, and the command still has them closed. Errors: of open(2).
Result<void> occupy_standard_descriptors();

// Opens /dev/null in place of descriptors 0 and 1, so that no pipe stays open because of this
// process. Ignores errors.
void release_input_and_output();

// Other processes of the same user can no longer trace this one or read its memory: PR_SET_DUMPABLE
// 0.
Result<void> make_undumpable();
// Orphaned descendants become children of this process: PR_SET_CHILD_SUBREAPER.
Result<void> become_subreaper();
// Raises the limit of descriptors to the hard limit. Ignores errors.
void raise_descriptor_limit();
// Sets both limits RLIMIT_LOCKS of a process. The kernel ignores these limits. Errors: of prlimit(2).
Result<void> set_file_lock_limit(pid_t process, std::uint64_t limit);
// RLIMIT_NOFILE as it was before the first raise_descriptor_limit(). Null: nothing was raised.
[[nodiscard]] const rlimit* descriptor_limit_before();
// Sets the action for SIGCHLD to its default, so that children stay until they are reaped. A process
// that was started with SIGCHLD ignored has none to reap. Returns whether it was ignored. Errors: of
// sigaction(2).
Result<bool> stop_ignoring_children();
// Whether CAP_SYS_ADMIN is effective, in the caller's user namespace.
[[nodiscard]] bool has_sys_admin();

[[nodiscard]] pid_t own_pid();
// CLOCK_BOOTTIME.
[[nodiscard]] std::uint64_t boottime_ns();
// Unique to this boot: /proc/sys/kernel/random/boot_id. Empty when it cannot be read.
[[nodiscard]] std::string boot_id();

// May return earlier, after a signal.
void sleep_us(unsigned microseconds);
// From now on SIGALRM interrupts the blocking calls of this process at this interval (EINTR,
// without SA_RESTART). For a process with one thread and no other use of SIGALRM.
void interrupt_every(unsigned microseconds);

// Waits until a descriptor is readable or has hung up. Returns the poll(2) events of each
// descriptor, in order. All are zero after `timeout_ms` (-1: no limit) or a signal. Errors: of
// poll(2).
Result<std::vector<short>> poll_readable(const std::vector<int>& fds, int timeout_ms);
// A descriptor and the poll(2) events to wait for. 0: only errors and hang-up.
struct Awaited {
  int fd;  // borrowed; negative: ignored
  short events;
};
// As poll_readable(), with events for each descriptor.
Result<std::vector<short>> poll_for(const std::vector<Awaited>& awaited, int timeout_ms);

}  // namespace holdfast::kernel

#endif  // HOLDFAST_KERNEL_PROCESS_PROCESS_H
