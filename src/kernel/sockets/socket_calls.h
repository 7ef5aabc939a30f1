// SPDX-License-Identifier: Apache-2.0
// Socket calls made for somebody else, on a duplicate of its descriptor: connect(2), accept(2),
// send(2).
#ifndef HOLDFAST_KERNEL_SOCKETS_SOCKET_CALLS_H
#define HOLDFAST_KERNEL_SOCKETS_SOCKET_CALLS_H

#include <pthread.h>
#include <sys/types.h>

#include <cstdint>
#include <string>
#include <string_view>

#include "base/fd.h"
#include "base/result.h"

namespace holdfast::kernel {

// All of these may block where the descriptor may; a signal ends that with EINTR. Errors are the
// calls' own. Addresses are raw struct sockaddr_*.
Result<void> bind_socket(int socket_fd, std::string_view address);
Result<void> connect_socket(int socket_fd, std::string_view address);
Result<void> listen_socket(int socket_fd, int backlog);

struct Accepted {
  Fd fd;
  std::string address;  // of the peer
};
// `flags`: SOCK_NONBLOCK or 0. The descriptor is close-on-exec.
Result<Accepted> accept_socket(int socket_fd, int flags);

// Does it accept and receive for a limited time only (SO_RCVTIMEO)?
Result<bool> has_receive_timeout(int socket_fd);
// Does it connect and send for a limited time only (SO_SNDTIMEO)?
Result<bool> has_send_timeout(int socket_fd);
Result<void> set_send_timeout(int socket_fd, unsigned seconds);

// Waits until there is something to read, or the other side has closed. False: the time is up.
// EINTR.
Result<bool> wait_readable(int fd, int timeout_ms);

struct Message {
  std::string data = {};
  std::string address = {};  // empty: none
  std::string control = {};  // raw struct cmsghdr
  int flags = 0;             // MSG_*
};
// The number of bytes sent. Raises no SIGPIPE.
Result<std::int64_t> send_message(int socket_fd, const Message& message);

// The owner of a socket that was accepted on behalf of somebody.
Result<void> chown_socket(int socket_fd, uid_t uid, gid_t gid);

// The calling thread keeps only these effective capabilities, a bit each, of those it has.
Result<void> limit_capabilities(std::uint64_t capabilities);

// A thread to send signals to, never another one that got its number later. Before Linux 6.9, which
// has no pidfds for threads: unless its process ends in the moment of the call.
class SignalledThread {
 public:
  // By numbers, which the caller knows to be the thread's until this returns. ESRCH.
  static Result<SignalledThread> open(pid_t process, pid_t thread);
  // ESRCH: it is gone.
  [[nodiscard]] Result<void> signal(int number) const;

 private:
  SignalledThread(Fd pidfd, bool of_thread, pid_t process, pid_t thread)
      : pidfd_(std::move(pidfd)), of_thread_(of_thread), process_(process), thread_(thread) {}
  Fd pidfd_;
  bool of_thread_;
  pid_t process_;
  pid_t thread_;
};

// A signal that does nothing but end a call that blocks. Once for the process, before
// interrupt_thread().
Result<void> prepare_interrupts();
void interrupt_thread(pthread_t thread);

}  // namespace holdfast::kernel

#endif  // HOLDFAST_KERNEL_SOCKETS_SOCKET_CALLS_H
