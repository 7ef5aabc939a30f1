// SPDX-License-Identifier: Apache-2.0
// Socket calls on behalf of a supervised process, on a duplicate of its descriptor: bind(2),
// connect(2), listen(2), accept(2), send(2).
#ifndef HOLDFAST_KERNEL_SOCKETS_SOCKET_CALLS_H
#define HOLDFAST_KERNEL_SOCKETS_SOCKET_CALLS_H

#include <pthread.h>
#include <sys/types.h>

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include "base/fd.h"
#include "base/result.h"

namespace holdfast::kernel {

// All of these block if the descriptor does; a signal ends the wait with EINTR. Errors are those of
// the system call of the same name. Descriptors are borrowed. Addresses are raw struct sockaddr_*.
Result<void> bind_socket(int socket_fd, std::string_view address);
Result<void> connect_socket(int socket_fd, std::string_view address);
Result<void> listen_socket(int socket_fd, int backlog);

struct Accepted {
  Fd fd;
  std::string address;  // of the peer
};
// `flags`: SOCK_NONBLOCK or 0. The descriptor is close-on-exec.
Result<Accepted> accept_socket(int socket_fd, int flags);

// Whether close(2) of the last descriptor may wait: that of a socket with a time of SO_LINGER, and that
// of a file that is no socket.
[[nodiscard]] bool close_may_wait(int fd);
// Whether a timeout limits accept(2) and recv(2): SO_RCVTIMEO.
Result<bool> has_receive_timeout(int socket_fd);
// Whether a timeout limits connect(2) and send(2): SO_SNDTIMEO.
Result<bool> has_send_timeout(int socket_fd);
Result<void> set_send_timeout(int socket_fd, unsigned seconds);

// Waits until the descriptor is readable or has hung up. False: `timeout_ms` (-1: no limit) has
// passed. Errors: EINTR; of poll(2).
Result<bool> wait_readable(int fd, int timeout_ms);

struct Message {
  std::string data = {};
  std::string address = {};  // empty: none
  std::string control = {};  // raw struct cmsghdr
  int flags = 0;             // MSG_*
};
// sendmsg(2). Returns the number of bytes sent. Raises no SIGPIPE. With MSG_ZEROCOPY the kernel reads
// pages that no other process uses.
Result<std::int64_t> send_message(int socket_fd, const Message& message);

// sendfile(2) or splice(2) to a socket.
struct FileCopy {
  enum class Call : std::uint32_t { send_file, splice } call = {};
  std::uint64_t count = 0;
  std::uint32_t flags = 0;   // splice: SPLICE_F_*
  bool with_offset = false;  // send_file: start at `offset`, not at the file's own position
  std::int64_t offset = 0;   // moves on
};
// Returns the number of bytes sent. `from_fd` is borrowed. May raise SIGPIPE.
Result<std::int64_t> copy_to_socket(int socket_fd, int from_fd, FileCopy& copy);
// The calling thread gets no SIGPIPE from now on.
void block_pipe_signal();
// The kernel gives a netlink socket without a number the number of the process that uses it, if
// that is free. bind_netlink() gives it `pid`, as that process would. Without effect on a socket that
// has a number. Ignores errors: the kernel then chooses a number at the next use.
void bind_netlink(int socket_fd, pid_t pid);
// bind(2) as that process would make it: with its number, where the address of a netlink socket asks
// for one.
Result<void> bind_socket_as(int socket_fd, std::string_view address, pid_t pid);
// The calling thread gets a working directory and a umask of its own. `directory_fd` is borrowed.
// False: it could not.
[[nodiscard]] bool use_own_place(int directory_fd, unsigned umask);

// Changes the owner of a socket that was accepted on behalf of another process: fchown(2).
Result<void> chown_socket(int socket_fd, uid_t uid, gid_t gid);

// While it lives, the calling thread has no effective capability that is not in a mask (1 << CAP_*).
// It is destroyed by the thread that began it.
class LimitedCapabilities {
 public:
  // Errors: of capget(2), capset(2).
  static Result<LimitedCapabilities> begin(std::uint64_t mask);
  LimitedCapabilities(LimitedCapabilities&& other) noexcept
      : before_(std::exchange(other.before_, std::nullopt)) {}
  LimitedCapabilities& operator=(LimitedCapabilities&&) = delete;
  ~LimitedCapabilities();

 private:
  LimitedCapabilities() = default;
  std::optional<std::uint64_t> before_;  // empty: nothing has changed
};

// A thread that can be signalled, even if its number is reused. Before Linux 6.9, which has no
// pidfds for threads, the signal may reach another thread if the process ends during signal().
class SignalledThread {
 public:
  // The caller guarantees that the numbers are the thread's until this returns. Errors: ESRCH.
  static Result<SignalledThread> open(pid_t process, pid_t thread);
  // Errors: ESRCH, the thread has ended.
  [[nodiscard]] Result<void> signal(int number) const;

 private:
  SignalledThread(Fd pidfd, bool of_thread, pid_t process, pid_t thread)
      : pidfd_(std::move(pidfd)), of_thread_(of_thread), process_(process), thread_(thread) {}
  Fd pidfd_;
  bool of_thread_;
  pid_t process_;
  pid_t thread_;
};

// Installs an empty handler for SIGRTMIN. Call it once per process, before interrupt_thread().
Result<void> prepare_interrupts();
// Sends SIGRTMIN to a thread of this process, so that its blocking call ends with EINTR.
void interrupt_thread(pthread_t thread);
// Signals that were sent to the calling thread before have been handled when this returns.
void let_signals_in();

}  // namespace holdfast::kernel

#endif  // HOLDFAST_KERNEL_SOCKETS_SOCKET_CALLS_H
