// SPDX-License-Identifier: Apache-2.0
// Processes: starting, watching, signalling, and what this process does to itself.
#ifndef HOLDFAST_KERNEL_PROCESS_PROCESS_H
#define HOLDFAST_KERNEL_PROCESS_PROCESS_H

#include <signal.h>
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

// clone3(2) with CLONE_NEW* flags; the child runs run_child(spec) and nothing else. The caller must
// have one thread. EPERM: no privilege for these namespaces. ENOSPC: a limit on their number or
// depth.
Result<ForkedChild> fork_child(std::uint64_t clone_flags, const ChildSpec& spec);

// The two ends of a SOCK_SEQPACKET channel.
Result<std::array<Fd, 2>> make_channel();
Result<void> send_byte(int channel_fd, char byte);

// Waits for one report. Nothing: the other end is gone.
Result<std::optional<ChildReport>> receive_report(int channel_fd);

// ESRCH: gone, or a thread that does not lead its process.
Result<Fd> open_pidfd(pid_t pid);
// Of one thread, whose descriptor table may not be its process's. EINVAL: before Linux 6.9.
Result<Fd> open_thread_pidfd(pid_t tid);
// Do both threads have one descriptor table? Errors: EPERM, ENOSYS (no kcmp(2)).
Result<bool> share_descriptors(pid_t one, pid_t other);
// A duplicate of another process's descriptor. EBADF: it has none of this number.
Result<Fd> duplicate_from(int pidfd, int remote_fd);
// The same open file under another number, close-on-exec.
Result<Fd> duplicate(int fd);
Result<void> signal_process(int pidfd, int signal);

// This program once more, with one argument, an empty environment, and these descriptors as 3, 4,
// …; of the others only 0 to 2 are left, as everything here is close-on-exec. Errors: of
// posix_spawn(3).
Result<Fd> start_own_program(const std::string& argument, const std::vector<int>& descriptors);
// Has this child ended? It is waited for then.
[[nodiscard]] bool reap(int pidfd);
// SIGKILL for this process once its parent, the thread that started it, has ended.
void end_with_parent();
// What ps(1) shows; 15 bytes of it.
void set_command_name(const char* name);

struct Ended {
  pid_t pid;
  int exit_code;  // as a shell says it: 128 + signal for a death by signal
};
// A child that has ended, without waiting. Nothing: none has.
std::optional<Ended> reap_child();
// Waits until this child has ended, signals notwithstanding. What wait(2) says of it; -1: not a
// child.
int wait_for_end(pid_t child);

// A signal that somebody sent to this process, or that the kernel made.
struct Signal {
  int number;
  bool sent;  // by kill() or the like; a terminal's signals are not sent
};
// Blocks the signals and returns a descriptor to read them from. `previous` receives the old mask.
Result<Fd> open_signalfd(const sigset_t& signals, sigset_t* previous);
std::optional<Signal> read_signal(int signal_fd);

// Which of descriptors 0, 1, 2 are closed get /dev/null, close-on-exec: nothing that is opened
// later can become a standard stream, and the command still sees them closed.
Result<void> occupy_standard_descriptors();

// This process becomes opaque to others of the same user: no ptrace, no /proc/PID/mem.
Result<void> make_undumpable();
// Orphans of the tree become children of this process.
Result<void> become_subreaper();
// As many descriptors as the hard limit allows.
void raise_descriptor_limit();
[[nodiscard]] bool has_sys_admin();

[[nodiscard]] pid_t own_pid();
[[nodiscard]] std::uint64_t boottime_ns();
// Of this boot of the kernel alone: /proc/sys/kernel/random/boot_id. Empty when it cannot be read.
[[nodiscard]] std::string boot_id();

void sleep_us(unsigned microseconds);
// From now on whatever this thread waits for is interrupted so often (EINTR), at least where a
// signal may do that. For a process of one thread that has nothing else to do with SIGALRM.
void interrupt_every(unsigned microseconds);

// Waits until one of the descriptors is ready or has hung up. Returns the mask of poll(2) events
// for each, in order; all zero after timeout_ms (-1: none) or a signal.
Result<std::vector<short>> poll_readable(const std::vector<int>& fds, int timeout_ms);
// What to wait for at one descriptor: events of poll(2); none: only that it hangs up.
struct Awaited {
  int fd;  // negative: nothing
  short events;
};
Result<std::vector<short>> poll_for(const std::vector<Awaited>& awaited, int timeout_ms);

}  // namespace holdfast::kernel

#endif  // HOLDFAST_KERNEL_PROCESS_PROCESS_H
