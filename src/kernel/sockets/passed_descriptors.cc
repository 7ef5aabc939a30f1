// SPDX-License-Identifier: Apache-2.0
#include "kernel/sockets/passed_descriptors.h"

#include <poll.h>
#include <sys/socket.h>
#include <sys/uio.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <span>
#include <tuple>

#include "kernel/system_error.h"

namespace holdfast::kernel {

namespace {

constexpr std::size_t kControlBytes = CMSG_SPACE(kMaxDescriptors * sizeof(int));
constexpr std::size_t kPacketControlBytes = CMSG_SPACE(kMaxPacketDescriptors * sizeof(int));

void take_descriptors(msghdr& message, std::vector<Fd>& descriptors) {
  for (cmsghdr* part = CMSG_FIRSTHDR(&message); part != nullptr;
       part = CMSG_NXTHDR(&message, part)) {
    if (part->cmsg_level != SOL_SOCKET || part->cmsg_type != SCM_RIGHTS) continue;
    std::array<int, kMaxPacketDescriptors> numbers;
    const std::size_t bytes = part->cmsg_len - CMSG_LEN(0);
    std::memcpy(numbers.data(), CMSG_DATA(part), bytes);
    for (std::size_t i = 0; i < bytes / sizeof(int); i++) descriptors.emplace_back(numbers[i]);
  }
}

Result<std::size_t> send_all(int socket_fd, std::string_view bytes,
                             const std::vector<int>& descriptors, int flags) {
  if (descriptors.size() > kMaxPacketDescriptors) return Error{EINVAL, "send", {}, "too many"};
  alignas(cmsghdr) std::array<char, kPacketControlBytes> control;
  iovec data = {const_cast<char*>(bytes.data()), bytes.size()};
  msghdr message = {};
  message.msg_iov = &data;
  message.msg_iovlen = 1;
  if (!descriptors.empty()) {
    const std::size_t size = descriptors.size() * sizeof(int);
    message.msg_control = control.data();
    message.msg_controllen = CMSG_SPACE(size);
    std::memset(control.data(), 0, message.msg_controllen);
    cmsghdr* part = CMSG_FIRSTHDR(&message);
    part->cmsg_level = SOL_SOCKET;
    part->cmsg_type = SCM_RIGHTS;
    part->cmsg_len = CMSG_LEN(size);
    std::memcpy(CMSG_DATA(part), descriptors.data(), size);
  }
  const ssize_t sent = sendmsg(socket_fd, &message, MSG_NOSIGNAL | flags);
  if (sent < 0) return system_error("send");
  return static_cast<std::size_t>(sent);
}

struct Received {
  std::size_t bytes;
  int flags;  // MSG_TRUNC, MSG_CTRUNC
};

Result<Received> receive(int socket_fd, std::span<char> to, std::vector<Fd>& descriptors, int flags,
                         std::size_t control_bytes = kControlBytes) {
  alignas(cmsghdr) std::array<char, kPacketControlBytes> control;
  iovec data = {to.data(), to.size()};
  msghdr message = {};
  message.msg_iov = &data;
  message.msg_iovlen = 1;
  message.msg_control = control.data();
  message.msg_controllen = control_bytes;
  const ssize_t got = recvmsg(socket_fd, &message, MSG_CMSG_CLOEXEC | flags);
  if (got < 0) return system_error("receive");
  take_descriptors(message, descriptors);
  return Received{static_cast<std::size_t>(got), message.msg_flags};
}

}  // namespace

Result<bool> receive_with_descriptors(int socket_fd, std::string& to,
                                      std::vector<Fd>& descriptors) {
  std::array<char, 65536> block;
  const auto got = receive(socket_fd, block, descriptors, MSG_DONTWAIT);
  if (!got && (got.error().code == EAGAIN || got.error().code == EINTR)) return true;
  if (!got) return got.error();
  if (got->flags & MSG_CTRUNC) return Error{EPROTO, "receive", {}, "too many descriptors"};
  to.append(block.data(), got->bytes);
  return got->bytes > 0;
}

Result<void> prepare_plain(int socket_fd) {
  const int on = 1;
  if (setsockopt(socket_fd, SOL_SOCKET, SO_OOBINLINE, &on, sizeof(on)) != 0)
    return system_error("SO_OOBINLINE");
  return {};
}

// This relies on unix_stream_read_generic(). With MSG_PEEK the kernel copies the references to the
// descriptors of a byte and drops the copies (unix_peek_fds(), scm_destroy()), so they are never
// the last references. Without a control buffer, scm_recv() sets MSG_CTRUNC. A peek ends after the
// first byte with descriptors. So bytes that were peeked without MSG_CTRUNC have none, and they
// stay first in the queue, because there is no other reader. The second call receives as many
// bytes. It does not use the peeked copy: the sender may have changed the bytes, if it spliced its
// own pages.
Result<Plain> read_plain(int socket_fd, std::string& to, std::size_t max_bytes) {
  std::array<char, 65536> block;
  const auto take = [&](std::size_t size, int flags, int& flags_out) {
    iovec data = {block.data(), size};
    msghdr message = {};
    message.msg_iov = &data;
    message.msg_iovlen = 1;
    const ssize_t got = recvmsg(socket_fd, &message, MSG_DONTWAIT | flags);
    flags_out = message.msg_flags;
    return got;
  };
  int received_flags = 0;
  const ssize_t peeked = take(std::min(max_bytes, block.size()), MSG_PEEK, received_flags);
  if (peeked < 0 && (errno == EAGAIN || errno == EINTR)) return Plain::nothing;
  if (peeked < 0) return system_error("receive");
  if (received_flags & MSG_CTRUNC) return Plain::descriptors;
  if (peeked == 0) return Plain::ended;
  const ssize_t got = take(static_cast<std::size_t>(peeked), 0, received_flags);
  if (got < 0) return system_error("receive");
  to.append(block.data(), static_cast<std::size_t>(got));
  return Plain::bytes;
}

Result<void> try_shutdown(int socket_fd) {
  if (shutdown(socket_fd, SHUT_RDWR) != 0) return system_error("shut down socket");
  return {};
}

void shutdown_both(int socket_fd) { (void)shutdown(socket_fd, SHUT_RDWR); }

Result<std::size_t> send_with_descriptors(int socket_fd, std::string_view bytes,
                                          const std::vector<int>& descriptors) {
  if (descriptors.size() > kMaxDescriptors) return Error{EINVAL, "send", {}, "too many"};
  auto sent = send_all(socket_fd, bytes, descriptors, MSG_DONTWAIT);
  if (!sent && (sent.error().code == EAGAIN || sent.error().code == EINTR)) return std::size_t{0};
  return sent;
}

Result<std::optional<std::string>> receive_packet(int socket_fd, std::size_t max_bytes,
                                                  std::vector<Fd>& descriptors) {
  std::string block(max_bytes, '\0');
  const auto got = receive(socket_fd, block, descriptors, 0, kPacketControlBytes);
  if (!got && got.error().code == ECONNRESET) return std::optional<std::string>();
  if (!got) return got.error();
  if (got->flags & MSG_TRUNC) return Error{EPROTO, "receive", {}, "too large"};
  if (got->flags & MSG_CTRUNC) return Error{EMFILE, "receive", {}, {}};
  if (got->bytes == 0) return std::optional<std::string>();
  block.resize(got->bytes);
  return std::optional(std::move(block));
}

Result<void> send_packet(int socket_fd, std::string_view bytes,
                         const std::vector<int>& descriptors) {
  HF_TRY_ASSIGN(std::ignore, send_all(socket_fd, bytes, descriptors, 0));
  return {};
}

Result<std::array<Fd, 2>> make_stream() {
  std::array<int, 2> ends;
  if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, ends.data()) != 0)
    return system_error("socketpair");
  return std::array<Fd, 2>{Fd(ends[0]), Fd(ends[1])};
}

Result<bool> try_send_packet(int socket_fd, std::string_view bytes) {
  if (::send(socket_fd, bytes.data(), bytes.size(), MSG_NOSIGNAL | MSG_DONTWAIT) >= 0) return true;
  if (errno == EAGAIN || errno == EINTR) return false;
  return system_error("send");
}

Result<std::optional<std::string>> try_receive_packet(int socket_fd, std::size_t most) {
  std::string bytes(most, '\0');
  const ssize_t length = ::recv(socket_fd, bytes.data(), bytes.size(), MSG_DONTWAIT);
  if (length < 0 && (errno == EAGAIN || errno == EINTR)) return std::optional<std::string>();
  if (length < 0) return system_error("recv");
  if (length == 0) return Error{EPIPE, "recv", {}, {}};
  bytes.resize(static_cast<std::size_t>(length));
  return std::optional(std::move(bytes));
}

void shutdown_reading(int socket_fd) { (void)::shutdown(socket_fd, SHUT_RD); }

bool has_hung_up(int socket_fd) {
  pollfd one = {.fd = socket_fd, .events = 0, .revents = 0};
  return ::poll(&one, 1, 0) > 0 && (one.revents & (POLLHUP | POLLERR));
}

void shutdown_write(int socket_fd) { (void)shutdown(socket_fd, SHUT_WR); }

}  // namespace holdfast::kernel
