// SPDX-License-Identifier: Apache-2.0
#include "backend/calls/socket_call.h"

#include <signal.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/uio.h>

#include <algorithm>
#include <cerrno>
#include <climits>
#include <cstring>

#include "kernel/process/process.h"
#include "kernel/sockets/passed_descriptors.h"
#include "kernel/sockets/socket_calls.h"
#include "kernel/sockets/sockets.h"

namespace holdfast::backend::calls {
namespace {

constexpr std::size_t kMaxAddressBytes = sizeof(sockaddr_storage);
constexpr std::size_t kMaxControlBytes = 65536;
constexpr std::size_t kMaxDataBytes = 1u << 20;  // read and sent at a time
constexpr std::size_t kMaxVectors = UIO_MAXIOV;
// As many as fit in one packet to the connect helper, beside its own.
constexpr std::size_t kMaxPassed = kernel::kMaxPacketDescriptors - 3;
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

  // The parts of a message: where its data lies. A message that is no stream has at most
  // kMaxDataBytes.
  std::vector<iovec> vectors(std::uint64_t address, std::uint64_t count, bool stream) {
    if (count > kMaxVectors) {
      fail(EMSGSIZE);
      return {};
    }
    std::vector<iovec> all(count);
    const std::string raw = bytes(address, count * sizeof(iovec));
    if (error_) return {};
    std::memcpy(all.data(), raw.data(), raw.size());
    std::size_t total = 0;
    for (const iovec& one : all) {
      if (one.iov_len > SSIZE_MAX - total) fail(EINVAL);
      total += one.iov_len;
    }
    if (total > kMaxDataBytes && !stream) fail(EMSGSIZE);
    return all;
  }

  std::string fail(int error) {
    if (!error_) error_ = error;
    return {};
  }

 private:
  const kernel::TaskMemory& memory_;
  int error_ = 0;
};

// A message whose data is still in the caller's memory.
struct Unread {
  kernel::Message message = {};
  std::vector<iovec> parts = {};
};

class Performer {
 public:
  explicit Performer(const Performance& p) : p_(p), reader_(*p.memory) {
    const auto type = kernel::socket_type(p.socket->get());
    const auto family = kernel::socket_family(p.socket->get());
    stream_ = type && *type == SOCK_STREAM;
    if (type && *type == SOCK_SEQPACKET) written_flags_ = MSG_EOR;
    unix_ = family && *family == AF_UNIX;
  }

  Answer perform() {
    const auto& a = p_.data.args;
    const int flags = static_cast<int>(a[2]);
    switch (p_.data.nr) {
      case SYS_bind:
      case SYS_connect:
        return with_address(a[1], a[2]);
      case SYS_listen:
        return plain_answer(p_.maker->listen(p_.socket->get(), static_cast<int>(a[1])));
      case SYS_sendto:
        return send(to(a));
      case SYS_sendmsg:
        return send(message(a[1], flags));
      case SYS_sendmmsg:
        return send_many(a[1], static_cast<unsigned>(a[2]), static_cast<int>(a[3]));
      case SYS_write:
        return send({{.flags = written_flags_}, {part(a[1], a[2])}});
      case SYS_writev:
        return send({{.flags = written_flags_}, reader_.vectors(a[1], a[2], stream_)});
      case SYS_pwritev2:
        return write_with_flags();
      case SYS_sendfile:
      case SYS_splice:
        return copy();
      default:
        return Answer::error(EPERM);
    }
  }

 private:
  static Answer plain_answer(const Result<void>& done) {
    return done ? Answer::returns(0) : Answer::error(done.error().code);
  }
  static iovec part(std::uint64_t at, std::uint64_t length) {
    return {reinterpret_cast<void*>(at), length};
  }
  [[nodiscard]] bool takes(std::string_view address) const {
    if (p_.maker->takes(address)) return true;
    *p_.refused = true;
    return false;
  }

  Answer with_address(std::uint64_t at, std::uint64_t length) {
    const std::string address = reader_.address(at, static_cast<std::uint32_t>(length));
    if (reader_.error()) return Answer::error(reader_.error());
    if (!takes(address)) return Answer::error(EPERM);
    return plain_answer(p_.data.nr == SYS_bind ? p_.maker->bind(p_.socket->get(), address)
                                               : p_.maker->connect(p_.socket->get(), address));
  }

  Unread to(const __u64 (&a)[6]) {
    Unread unread = {{.flags = static_cast<int>(a[3])}, {part(a[1], a[2])}};
    if (a[4]) unread.message.address = reader_.address(a[4], static_cast<std::uint32_t>(a[5]));
    return unread;
  }

  Unread message(std::uint64_t at, int flags) {
    const auto header = reader_.plain<msghdr>(at);
    Unread unread = {{.flags = flags}, {}};
    if (header.msg_name)
      unread.message.address =
          reader_.address(reinterpret_cast<std::uint64_t>(header.msg_name), header.msg_namelen);
    if (header.msg_controllen > kMaxControlBytes) reader_.fail(ENOBUFS);
    unread.message.control =
        reader_.bytes(reinterpret_cast<std::uint64_t>(header.msg_control), header.msg_controllen);
    unread.parts = reader_.vectors(reinterpret_cast<std::uint64_t>(header.msg_iov),
                                   header.msg_iovlen, stream_);
    return unread;
  }

  // Takes the next bytes from the parts, at most kMaxDataBytes.
  std::string next_bytes(std::vector<iovec>& parts) {
    std::string all;
    while (!parts.empty() && all.size() < kMaxDataBytes && !reader_.error()) {
      iovec& one = parts.front();
      const std::size_t count = std::min(one.iov_len, kMaxDataBytes - all.size());
      all += reader_.bytes(reinterpret_cast<std::uint64_t>(one.iov_base), count);
      one.iov_base = static_cast<char*>(one.iov_base) + count;
      one.iov_len -= count;
      if (one.iov_len == 0) parts.erase(parts.begin());
    }
    return all;
  }

  // Duplicates the descriptors that the message passes, and writes their index in their place.
  // Returns 0 or an errno.
  int take_passed(kernel::Message& message, std::vector<Fd>& passed) const {
    if (!unix_) return 0;  // other families ignore them
    std::string& control = message.control;
    for (std::size_t at = 0; control.size() - at >= sizeof(cmsghdr);) {
      cmsghdr header = {};
      std::memcpy(&header, control.data() + at, sizeof(header));
      if (header.cmsg_len < sizeof(header) || header.cmsg_len > control.size() - at) return EINVAL;
      const std::size_t end = at + header.cmsg_len;
      if (header.cmsg_level == SOL_SOCKET && header.cmsg_type == SCM_RIGHTS)
        for (std::size_t place = at + CMSG_LEN(0); place + sizeof(int) <= end;
             place += sizeof(int)) {
          int number = -1;
          std::memcpy(&number, control.data() + place, sizeof(number));
          auto fd = p_.table ? kernel::duplicate_from(p_.table->get(), number)
                             : Result<Fd>(Error{EBADF, "pass a descriptor", {}, {}});
          if (!fd) return fd.error().code == EBADF ? EBADF : EPERM;
          const int index = static_cast<int>(passed.size());
          std::memcpy(control.data() + place, &index, sizeof(index));
          passed.push_back(std::move(*fd));
          if (passed.size() > kMaxPassed) return EINVAL;
        }
      const std::size_t step = CMSG_ALIGN(header.cmsg_len);
      if (step >= control.size() - at) break;
      at += step;
    }
    return 0;
  }

  // Returns the number of bytes sent. On EPIPE of a stream the caller gets SIGPIPE. A stream takes
  // all of its data, as in the kernel, unless it may not wait.
  Result<std::int64_t> send_one(Unread unread) {
    kernel::Message& message = unread.message;
    message.data = next_bytes(unread.parts);
    if (!stream_ && !unread.parts.empty()) reader_.fail(EMSGSIZE);
    if (reader_.error()) return Error{reader_.error(), "read a message", {}, {}};
    if (!takes(message.address)) return Error{EPERM, "send", {}, {}};
    std::vector<Fd> passed;
    if (const int error = take_passed(message, passed)) return Error{error, "send", {}, {}};
    std::vector<int> numbers;
    for (const Fd& fd : passed) numbers.push_back(fd.get());
    std::int64_t total = 0;
    for (;;) {
      auto sent = p_.maker->send(p_.socket->get(), message, numbers);
      if (!sent && total > 0) return total;
      if (!sent && sent.error().code == EPIPE && stream_ && !(message.flags & MSG_NOSIGNAL))
        (void)p_.caller->signal(SIGPIPE);
      if (!sent) return sent;
      total += *sent;
      if (!stream_ || static_cast<std::size_t>(*sent) < message.data.size()) return total;
      message.control.clear();
      numbers.clear();
      message.data = next_bytes(unread.parts);
      if (message.data.empty() || reader_.error()) return total;
    }
  }

  Answer send(Unread unread) {
    const auto sent = send_one(std::move(unread));
    return sent ? Answer::returns(*sent) : Answer::error(sent.error().code);
  }

  // After an error returns the number of messages sent so far. As in the kernel, an error is
  // returned only if it hits the first message.
  Answer send_many(std::uint64_t at, unsigned count, int flags) {
    unsigned done = 0;
    int error = 0;
    for (; done < std::min(count, kMaxMessages); done++) {
      const std::uint64_t one = at + done * sizeof(mmsghdr);
      const auto sent = send_one(message(one, flags));
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

  // A socket has no position: any but -1 is ESPIPE.
  Answer write_with_flags() {
    const auto& a = p_.data.args;
    constexpr std::uint32_t kKnown = RWF_HIPRI | RWF_DSYNC | RWF_SYNC | RWF_NOWAIT | RWF_APPEND;
    const auto flags = static_cast<std::uint32_t>(a[5]);
    if (a[3] != ~std::uint64_t{0}) return Answer::error(ESPIPE);
    if (flags & ~kKnown) return Answer::error(EOPNOTSUPP);
    const int extra = flags & RWF_NOWAIT ? MSG_DONTWAIT : 0;
    return send({{.flags = written_flags_ | extra}, reader_.vectors(a[1], a[2], stream_)});
  }

  Answer copy() {
    const auto& a = p_.data.args;
    kernel::FileCopy copy = {};
    if (p_.data.nr == SYS_splice) {
      if (a[1] || a[3]) return Answer::error(ESPIPE);  // neither end has a position
      copy.call = kernel::FileCopy::Call::splice;
      copy.count = a[4];
      copy.flags = static_cast<std::uint32_t>(a[5]);
    } else {
      copy.count = a[3];
      copy.with_offset = a[2] != 0;
      if (copy.with_offset) copy.offset = reader_.plain<std::int64_t>(a[2]);
      if (reader_.error()) return Answer::error(EFAULT);
    }
    if (!p_.from) return Answer::error(EBADF);
    const auto sent = p_.maker->copy(p_.socket->get(), p_.from->get(), copy);
    if (!sent && sent.error().code == EPIPE && stream_) (void)p_.caller->signal(SIGPIPE);
    if (!sent) return Answer::error(sent.error().code);
    if (copy.with_offset) {
      std::string raw(sizeof(copy.offset), '\0');
      std::memcpy(raw.data(), &copy.offset, sizeof(copy.offset));
      if (!p_.memory->write(a[2], raw)) return Answer::error(EFAULT);
    }
    return Answer::returns(*sent);
  }

  const Performance& p_;
  Reader reader_;
  bool stream_ = false;
  bool unix_ = false;
  int written_flags_ = 0;  // of a write(2)
};

class OwnMaker final : public SocketMaker {
 public:
  Result<void> bind(int socket_fd, std::string_view address) const override {
    return kernel::bind_socket(socket_fd, address);
  }
  Result<void> connect(int socket_fd, std::string_view address) const override {
    return kernel::connect_socket(socket_fd, address);
  }
  Result<void> listen(int socket_fd, int backlog) const override {
    return kernel::listen_socket(socket_fd, backlog);
  }
  Result<std::int64_t> send(int socket_fd, const kernel::Message& message,
                            const std::vector<int>&) const override {
    return kernel::send_message(socket_fd, message);
  }
  Result<std::int64_t> copy(int socket_fd, int from_fd, kernel::FileCopy& copy) const override {
    kernel::block_pipe_signal();
    return kernel::copy_to_socket(socket_fd, from_fd, copy);
  }
  [[nodiscard]] bool takes(std::string_view) const override { return true; }
};

}  // namespace

std::shared_ptr<const SocketMaker> own_maker() {
  static const auto maker = std::make_shared<const OwnMaker>();
  return maker;
}

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
      return {HF_SOCK_SEND, static_cast<int>(data.args[2]), true, 1,
              static_cast<int>(data.args[0])};
    case SYS_sendfile:
      return {HF_SOCK_SEND, fd, true, 1, static_cast<int>(data.args[1])};
    default:
      return {HF_SOCK_SEND, fd, true};
  }
}

bool can_perform(std::uint16_t family) {
  return family == HF_FAMILY_INET || family == HF_FAMILY_INET6;
}

Answer perform_socket_call(const Performance& performance) {
  return Performer(performance).perform();
}

}  // namespace holdfast::backend::calls
