// SPDX-License-Identifier: Apache-2.0
#include "backend/calls/socket_call.h"

#include <signal.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/uio.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "kernel/sockets/socket_calls.h"
#include "kernel/sockets/sockets.h"

namespace holdfast::backend::supervisor {
namespace {

constexpr std::size_t kMaxAddressBytes = sizeof(sockaddr_storage);
constexpr std::size_t kMaxControlBytes = 65536;
constexpr std::size_t kMaxDataBytes = 1u << 20;  // a longer write on a stream is a short write
constexpr std::size_t kMaxVectors = UIO_MAXIOV;
constexpr unsigned kMaxMessages = UIO_MAXIOV;

std::uint32_t send_operations(std::uint64_t flags) {
  // With MSG_FASTOPEN a send also connects.
  return flags & MSG_FASTOPEN ? HF_SOCK_SEND | HF_SOCK_CONNECT : HF_SOCK_SEND;
}

// Reads the caller's memory. After an error all further reads are empty and error() is the first.
class Reader {
 public:
  explicit Reader(const kernel::TaskMemory& memory) : memory_(memory) {}

  [[nodiscard]] int error() const { return error_; }

  std::string bytes(std::uint64_t address, std::size_t count) {
    if (error_ || count == 0) return {};
    auto read = memory_.read(address, count);
    if (!read) error_ = EFAULT;
    return read ? std::move(*read) : std::string();
  }

  template <typename T>
  T plain(std::uint64_t address) {
    T value = {};
    const std::string raw = bytes(address, sizeof(value));
    if (!error_) std::memcpy(&value, raw.data(), sizeof(value));
    return value;
  }

  std::string address(std::uint64_t address, std::uint64_t length) {
    if (length > kMaxAddressBytes) return fail(EINVAL);
    return bytes(address, length);
  }

  // At most kMaxDataBytes. A longer message that is not a stream fails with EMSGSIZE.
  std::string data(std::uint64_t address, std::uint64_t length, bool stream) {
    if (length > kMaxDataBytes && !stream) return fail(EMSGSIZE);
    return bytes(address, std::min<std::uint64_t>(length, kMaxDataBytes));
  }

  std::string vectors(std::uint64_t address, std::uint64_t count, bool stream) {
    if (count > kMaxVectors) return fail(EMSGSIZE);
    std::string all;
    for (std::uint64_t i = 0; i < count && !error_; i++) {
      const auto vector = plain<iovec>(address + i * sizeof(iovec));
      const std::size_t room = kMaxDataBytes - all.size();
      if (vector.iov_len > room && !stream) return fail(EMSGSIZE);
      all +=
          bytes(reinterpret_cast<std::uint64_t>(vector.iov_base), std::min(vector.iov_len, room));
    }
    return all;
  }

  kernel::Message message(std::uint64_t address, int flags, bool stream) {
    const auto header = plain<msghdr>(address);
    kernel::Message message;
    message.flags = flags;
    if (header.msg_name)
      message.address =
          this->address(reinterpret_cast<std::uint64_t>(header.msg_name), header.msg_namelen);
    if (header.msg_controllen > kMaxControlBytes) fail(ENOBUFS);
    message.control =
        bytes(reinterpret_cast<std::uint64_t>(header.msg_control), header.msg_controllen);
    message.data =
        vectors(reinterpret_cast<std::uint64_t>(header.msg_iov), header.msg_iovlen, stream);
    return message;
  }

 private:
  std::string fail(int error) {
    if (!error_) error_ = error;
    return {};
  }

  const kernel::TaskMemory& memory_;
  int error_ = 0;
};

class Performer {
 public:
  explicit Performer(const Performance& p) : p_(p), reader_(*p.memory) {
    const auto type = kernel::socket_type(p.socket->get());
    stream_ = type && *type == SOCK_STREAM;
  }

  Answer perform() {
    const auto& a = p_.data.args;
    switch (p_.data.nr) {
      case SYS_bind:
      case SYS_connect:
        return with_address(a[1], a[2]);
      case SYS_listen:
        return plain_answer(kernel::listen_socket(p_.socket->get(), static_cast<int>(a[1])));
      case SYS_sendto:
        return send(to(a));
      case SYS_sendmsg:
        return send(reader_.message(a[1], static_cast<int>(a[2]), stream_));
      case SYS_sendmmsg:
        return send_many(a[1], static_cast<unsigned>(a[2]), static_cast<int>(a[3]));
      case SYS_write:
        return send({.data = reader_.data(a[1], a[2], stream_)});
      case SYS_writev:
        return send({.data = reader_.vectors(a[1], a[2], stream_)});
      default:
        return Answer::error(EPERM);
    }
  }

 private:
  static Answer plain_answer(const Result<void>& done) {
    return done ? Answer::returns(0) : Answer::error(done.error().code);
  }

  Answer with_address(std::uint64_t at, std::uint64_t length) {
    const std::string address = reader_.address(at, static_cast<std::uint32_t>(length));
    if (reader_.error()) return Answer::error(reader_.error());
    return plain_answer(p_.data.nr == SYS_bind ? kernel::bind_socket(p_.socket->get(), address)
                                               : kernel::connect_socket(p_.socket->get(), address));
  }

  kernel::Message to(const __u64 (&a)[6]) {
    kernel::Message message;
    message.data = reader_.data(a[1], a[2], stream_);
    message.flags = static_cast<int>(a[3]);
    if (a[4]) message.address = reader_.address(a[4], static_cast<std::uint32_t>(a[5]));
    return message;
  }

  // Returns the number of bytes sent. On EPIPE the caller gets SIGPIPE.
  Result<std::int64_t> send_one(const kernel::Message& message) {
    if (reader_.error()) return Error{reader_.error(), "read a message", {}, {}};
    // The kernel would read this process's buffer after send_message() has returned.
    if (message.flags & MSG_ZEROCOPY) return Error{EINVAL, "send without a copy", {}, {}};
    auto sent = kernel::send_message(p_.socket->get(), message);
    if (!sent && sent.error().code == EPIPE && !(message.flags & MSG_NOSIGNAL))
      (void)p_.caller->signal(SIGPIPE);
    return sent;
  }

  Answer send(const kernel::Message& message) {
    const auto sent = send_one(message);
    return sent ? Answer::returns(*sent) : Answer::error(sent.error().code);
  }

  // After an error returns the number of messages sent so far. As in the kernel, an error is
  // returned only if it hits the first message.
  Answer send_many(std::uint64_t at, unsigned count, int flags) {
    unsigned done = 0;
    int error = 0;
    for (; done < std::min(count, kMaxMessages); done++) {
      const std::uint64_t one = at + done * sizeof(mmsghdr);
      const auto sent = send_one(reader_.message(one, flags, stream_));
      if (!sent) {
        error = sent.error().code;
        break;
      }
      const auto length = static_cast<unsigned>(*sent);
      std::string raw(sizeof(length), '\0');
      std::memcpy(raw.data(), &length, sizeof(length));
      if (!p_.memory->write(one + offsetof(mmsghdr, msg_len), raw)) error = EFAULT;
      if (error) break;
    }
    return done > 0 || !error ? Answer::returns(done) : Answer::error(error);
  }

  const Performance& p_;
  Reader reader_;
  bool stream_ = false;
};

}  // namespace

SocketCall decode_socket_call(const seccomp_data& data) {
  const int fd = static_cast<int>(data.args[0]);
  switch (data.nr) {
    case SYS_bind:
      return {HF_SOCK_BIND, fd};
    case SYS_connect:
      return {HF_SOCK_CONNECT, fd};
    case SYS_listen:
      return {HF_SOCK_LISTEN, fd};
    case SYS_sendto:
      return {send_operations(data.args[3]), fd};
    case SYS_sendmsg:
      return {send_operations(data.args[2]), fd};
    case SYS_sendmmsg:
      return {send_operations(data.args[3]), fd, false,
              std::max(1u, std::min(static_cast<unsigned>(data.args[2]), kMaxMessages))};
    case SYS_splice:
      return {HF_SOCK_SEND, static_cast<int>(data.args[2]), true};
    default:
      return {HF_SOCK_SEND, fd, true};
  }
}

bool can_perform(const seccomp_data& data, std::uint16_t family) {
  const bool internet = family == HF_FAMILY_INET || family == HF_FAMILY_INET6;
  switch (data.nr) {
    case SYS_bind:
    case SYS_connect:
    case SYS_listen:
    case SYS_sendto:
    case SYS_sendmsg:
    case SYS_sendmmsg:
    case SYS_write:
    case SYS_writev:
      return internet;
    default:
      return false;
  }
}

Answer perform_socket_call(const Performance& performance) {
  return Performer(performance).perform();
}

}  // namespace holdfast::backend::supervisor
