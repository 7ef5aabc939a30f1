// SPDX-License-Identifier: Apache-2.0
#include "kernel/sockets/socket_calls.h"

#include <fcntl.h>
#include <linux/capability.h>
#include <linux/netlink.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/sendfile.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <functional>

#include "kernel/process/process.h"
#include "kernel/system_error.h"

namespace holdfast::kernel {
namespace {

const sockaddr* as_sockaddr(std::string_view address) {
  return reinterpret_cast<const sockaddr*>(address.data());
}

int interrupt_signal() { return SIGRTMIN; }

void do_nothing(int) {}

// A copy of bytes in pages of its own. The kernel keeps pages that it still has to send after they
// are unmapped here.
class PrivatePages {
 public:
  explicit PrivatePages(std::string_view bytes) : size_(bytes.size()) {
    if (size_ == 0) return;
    address_ = ::mmap(nullptr, size_, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (address_ == MAP_FAILED) throw std::bad_alloc();
    std::memcpy(address_, bytes.data(), size_);
  }
  PrivatePages(const PrivatePages&) = delete;
  PrivatePages& operator=(const PrivatePages&) = delete;
  ~PrivatePages() {
    if (address_) ::munmap(address_, size_);
  }
  [[nodiscard]] void* address() const { return address_; }

 private:
  void* address_ = nullptr;
  std::size_t size_;
};

Result<bool> has_timeout(int socket_fd, int option, const char* name) {
  timeval limit = {};
  socklen_t length = sizeof(limit);
  if (::getsockopt(socket_fd, SOL_SOCKET, option, &limit, &length) != 0) return system_error(name);
  return limit.tv_sec != 0 || limit.tv_usec != 0;
}

// The raw system calls change only the calling thread; libcap may change all threads.
Result<std::uint64_t> set_effective(const std::function<std::uint64_t(std::uint64_t)>& change) {
  __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3, .pid = 0};
  __user_cap_data_struct data[2] = {};
  if (::syscall(SYS_capget, &header, data) != 0) return system_error("capget");
  const std::uint64_t before = data[0].effective | std::uint64_t{data[1].effective} << 32;
  const std::uint64_t after = change(before);
  if (after == before) return before;
  data[0].effective = static_cast<std::uint32_t>(after);
  data[1].effective = static_cast<std::uint32_t>(after >> 32);
  if (::syscall(SYS_capset, &header, data) != 0) return system_error("capset");
  return before;
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

bool close_may_wait(int fd) {
  linger value = {};
  socklen_t length = sizeof(value);
  return ::getsockopt(fd, SOL_SOCKET, SO_LINGER, &value, &length) != 0 ||
         (value.l_onoff != 0 && value.l_linger != 0);
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
  const PrivatePages pages(message.flags & MSG_ZEROCOPY ? std::string_view(message.data) : "");
  if (pages.address()) data.iov_base = pages.address();
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

Result<std::int64_t> copy_to_socket(int socket_fd, int from_fd, FileCopy& copy) {
  off_t offset = copy.offset;
  const ssize_t sent =
      copy.call == FileCopy::Call::splice
          ? ::splice(from_fd, nullptr, socket_fd, nullptr, copy.count, copy.flags)
          : ::sendfile(socket_fd, from_fd, copy.with_offset ? &offset : nullptr, copy.count);
  if (sent < 0) return system_error(copy.call == FileCopy::Call::splice ? "splice" : "sendfile");
  copy.offset = offset;
  return static_cast<std::int64_t>(sent);
}

void block_pipe_signal() {
  sigset_t set;
  sigemptyset(&set);
  sigaddset(&set, SIGPIPE);
  (void)::pthread_sigmask(SIG_BLOCK, &set, nullptr);
}

void bind_netlink(int socket_fd, pid_t pid) {
  sockaddr_nl address = {};
  socklen_t length = sizeof(address);
  if (::getsockname(socket_fd, reinterpret_cast<sockaddr*>(&address), &length) != 0) return;
  if (address.nl_family != AF_NETLINK || address.nl_pid != 0) return;
  address.nl_pid = static_cast<__u32>(pid);
  (void)::bind(socket_fd, reinterpret_cast<const sockaddr*>(&address), sizeof(address));
}

Result<void> bind_socket_as(int socket_fd, std::string_view address, pid_t pid) {
  sockaddr_nl asked = {};
  sockaddr_nl own = {};
  socklen_t length = sizeof(own);
  if (address.size() >= sizeof(asked)) std::memcpy(&asked, address.data(), sizeof(asked));
  if (asked.nl_family != AF_NETLINK || asked.nl_pid != 0 || pid <= 0 ||
      ::getsockname(socket_fd, reinterpret_cast<sockaddr*>(&own), &length) != 0 ||
      own.nl_family != AF_NETLINK || own.nl_pid != 0)
    return bind_socket(socket_fd, address);
  asked.nl_pid = static_cast<__u32>(pid);
  auto bound = bind_socket(socket_fd, {reinterpret_cast<const char*>(&asked), sizeof(asked)});
  if (bound || bound.error().code != EADDRINUSE) return bound;
  return bind_socket(socket_fd, address);
}

bool use_own_place(int directory_fd, unsigned umask) {
  if (::unshare(CLONE_FS) != 0 || ::fchdir(directory_fd) != 0) return false;
  (void)::umask(umask);
  return true;
}

Result<void> chown_socket(int socket_fd, uid_t uid, gid_t gid) {
  if (::fchown(socket_fd, uid, gid) != 0) return system_error("fchown");
  return {};
}

Result<LimitedCapabilities> LimitedCapabilities::begin(std::uint64_t mask) {
  LimitedCapabilities limited;
  if (mask == ~std::uint64_t{0}) return limited;
  HF_TRY_ASSIGN(const auto before,
                set_effective([mask](std::uint64_t effective) { return effective & mask; }));
  if (before & ~mask) limited.before_ = before;
  return limited;
}

LimitedCapabilities::~LimitedCapabilities() {
  if (before_) (void)set_effective([this](std::uint64_t) { return *before_; });
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

// The kernel delivers them on its way out of any call.
void let_signals_in() { (void)::syscall(SYS_getppid); }

}  // namespace holdfast::kernel
