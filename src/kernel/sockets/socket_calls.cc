// SPDX-License-Identifier: Apache-2.0
#include "kernel/sockets/socket_calls.h"

#include <linux/capability.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <unistd.h>

#include <algorithm>

#include "kernel/process/process.h"
#include "kernel/system_error.h"

namespace holdfast::kernel {
namespace {

const sockaddr* as_sockaddr(std::string_view address) {
  return reinterpret_cast<const sockaddr*>(address.data());
}

int interrupt_signal() { return SIGRTMIN; }

void do_nothing(int) {}

Result<bool> has_timeout(int socket_fd, int option, const char* name) {
  timeval limit = {};
  socklen_t length = sizeof(limit);
  if (::getsockopt(socket_fd, SOL_SOCKET, option, &limit, &length) != 0) return system_error(name);
  return limit.tv_sec != 0 || limit.tv_usec != 0;
}

}  // namespace

Result<void> bind_socket(int socket_fd, std::string_view address) {
  if (::bind(socket_fd, as_sockaddr(address), static_cast<socklen_t>(address.size())) != 0)
    return system_error("bind");
  return {};
}

Result<void> connect_socket(int socket_fd, std::string_view address) {
  if (::connect(socket_fd, as_sockaddr(address), static_cast<socklen_t>(address.size())) != 0)
    return system_error("connect");
  return {};
}

Result<void> listen_socket(int socket_fd, int backlog) {
  if (::listen(socket_fd, backlog) != 0) return system_error("listen");
  return {};
}

Result<Accepted> accept_socket(int socket_fd, int flags) {
  sockaddr_storage address = {};
  socklen_t length = sizeof(address);
  Fd fd(::accept4(socket_fd, reinterpret_cast<sockaddr*>(&address), &length, flags | SOCK_CLOEXEC));
  if (!fd) return system_error("accept4");
  return Accepted{std::move(fd), std::string(reinterpret_cast<const char*>(&address),
                                             std::min<std::size_t>(length, sizeof(address)))};
}

bool lingers(int fd) {
  linger value = {};
  socklen_t length = sizeof(value);
  return ::getsockopt(fd, SOL_SOCKET, SO_LINGER, &value, &length) == 0 && value.l_onoff != 0 &&
         value.l_linger != 0;
}

Result<bool> has_receive_timeout(int socket_fd) {
  return has_timeout(socket_fd, SO_RCVTIMEO, "SO_RCVTIMEO");
}

Result<bool> has_send_timeout(int socket_fd) {
  return has_timeout(socket_fd, SO_SNDTIMEO, "SO_SNDTIMEO");
}

Result<void> set_send_timeout(int socket_fd, unsigned seconds) {
  const timeval limit = {.tv_sec = static_cast<time_t>(seconds), .tv_usec = 0};
  if (::setsockopt(socket_fd, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof(limit)) != 0)
    return system_error("SO_SNDTIMEO");
  return {};
}

Result<bool> wait_readable(int fd, int timeout_ms) {
  pollfd one = {.fd = fd, .events = POLLIN, .revents = 0};
  const int ready = ::poll(&one, 1, timeout_ms);
  if (ready < 0) return system_error("poll");
  return ready > 0;
}

Result<std::int64_t> send_message(int socket_fd, const Message& message) {
  iovec data = {.iov_base = const_cast<char*>(message.data.data()), .iov_len = message.data.size()};
  msghdr header = {};
  header.msg_iov = &data;
  header.msg_iovlen = 1;
  if (!message.address.empty()) {
    header.msg_name = const_cast<char*>(message.address.data());
    header.msg_namelen = static_cast<socklen_t>(message.address.size());
  }
  if (!message.control.empty()) {
    header.msg_control = const_cast<char*>(message.control.data());
    header.msg_controllen = message.control.size();
  }
  const ssize_t sent = ::sendmsg(socket_fd, &header, message.flags | MSG_NOSIGNAL);
  if (sent < 0) return system_error("sendmsg");
  return static_cast<std::int64_t>(sent);
}

Result<void> chown_socket(int socket_fd, uid_t uid, gid_t gid) {
  if (::fchown(socket_fd, uid, gid) != 0) return system_error("fchown");
  return {};
}

// The raw system calls change only the calling thread; libcap may change all threads.
Result<void> limit_capabilities(std::uint64_t capabilities) {
  __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3, .pid = 0};
  __user_cap_data_struct data[2] = {};
  if (::syscall(SYS_capget, &header, data) != 0) return system_error("capget");
  data[0].effective &= static_cast<std::uint32_t>(capabilities);
  data[1].effective &= static_cast<std::uint32_t>(capabilities >> 32);
  if (::syscall(SYS_capset, &header, data) != 0) return system_error("capset");
  return {};
}

Result<SignalledThread> SignalledThread::open(pid_t process, pid_t thread) {
  auto pidfd = open_thread_pidfd(thread);
  const bool of_thread = bool(pidfd);
  if (!pidfd && pidfd.error().code == EINVAL) pidfd = open_pidfd(process);
  if (!pidfd) return pidfd.error();
  return SignalledThread(std::move(*pidfd), of_thread, process, thread);
}

// A thread's pidfd signals that thread. A process's pidfd only shows, by signal 0, that the process
// still exists. Then tgkill(2) signals the thread only if it belongs to that process.
Result<void> SignalledThread::signal(int number) const {
  auto sent = signal_process(pidfd_.get(), of_thread_ ? number : 0);
  if (!sent || of_thread_) return sent;
  if (::syscall(SYS_tgkill, process_, thread_, number) != 0) return system_error("tgkill");
  return {};
}

Result<void> prepare_interrupts() {
  struct sigaction action = {};
  action.sa_handler = do_nothing;
  if (::sigaction(interrupt_signal(), &action, nullptr) != 0) return system_error("sigaction");
  return {};
}

void interrupt_thread(pthread_t thread) { (void)::pthread_kill(thread, interrupt_signal()); }

}  // namespace holdfast::kernel
