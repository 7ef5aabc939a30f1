// SPDX-License-Identifier: Apache-2.0
#include "kernel/sockets/local_socket.h"

#include <fcntl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/xattr.h>
#include <unistd.h>

#include <array>
#include <cstring>

#include "base/text.h"
#include "kernel/files/text_file.h"
#include "kernel/process/process.h"
#include "kernel/system_error.h"

namespace holdfast::kernel {

namespace {

constexpr int kBacklog = 64;

Result<sockaddr_un> address_of(const std::string& path) {
  sockaddr_un address = {};
  address.sun_family = AF_UNIX;
  if (path.size() >= sizeof(address.sun_path)) return Error{ENAMETOOLONG, "socket", path, {}};
  std::memcpy(address.sun_path, path.data(), path.size());
  return address;
}

// An address whose length is exactly that of its name. For an abstract name every byte counts.
struct NamedAddress {
  sockaddr_un address;
  socklen_t length;
  [[nodiscard]] const sockaddr* pointer() const {
    return reinterpret_cast<const sockaddr*>(&address);
  }
};

Result<NamedAddress> named_address(const std::string& name) {
  HF_TRY_ASSIGN(auto address, address_of(name));
  if (name.starts_with('@')) address.sun_path[0] = '\0';
  return NamedAddress{address,
                      static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + name.size())};
}

// Whether a process listens at `path`. Tries a non-blocking connect(2). EAGAIN means a full queue,
// and so a listener (unix_stream_connect() in net/unix/af_unix.c). Errors: ENOTSOCK, a socket of
// another type; of connect(2).
Result<bool> is_served(const std::string& path) {
  HF_TRY_ASSIGN(const auto address, address_of(path));
  const Fd fd(socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  if (!fd) return system_error("socket");
  if (connect(fd.get(), reinterpret_cast<const sockaddr*>(&address), sizeof(address)) == 0)
    return true;
  if (errno == EAGAIN || errno == EINPROGRESS) return true;
  if (errno == ENOENT || errno == ECONNREFUSED) return false;
  if (errno == EPROTOTYPE) return Error{ENOTSOCK, "listen", path, "a socket of another type"};
  return system_error("connect", path);
}

}  // namespace

// The directory is opened once, so the checked and the removed name are in the same directory. A
// process that may replace the file between both calls may write the directory. So it could also
// remove the new file itself.
Result<void> remove_socket(const std::string& path) {
  const std::size_t slash = path.rfind('/');
  const std::string name = slash == std::string::npos ? path : path.substr(slash + 1);
  const std::string above = slash == std::string::npos ? "." : path.substr(0, slash + 1);
  const Fd directory(open(above.c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC));
  if (!directory) return errno == ENOENT ? Result<void>() : system_error("open directory", above);
  struct stat found = {};
  if (fstatat(directory.get(), name.c_str(), &found, AT_SYMLINK_NOFOLLOW) != 0)
    return errno == ENOENT ? Result<void>() : system_error("stat", path);
  if (!S_ISSOCK(found.st_mode)) return Error{ENOTSOCK, "remove", path, "not a socket; it is kept"};
  if (unlinkat(directory.get(), name.c_str(), 0) != 0 && errno != ENOENT)
    return system_error("remove", path);
  return {};
}

Result<Fd> listen_at(const std::string& path, mode_t mode) {
  HF_TRY_ASSIGN(const auto address, address_of(path));
  HF_TRY_ASSIGN(const auto served, is_served(path));
  if (served) return Error{EADDRINUSE, "listen", path, "something answers there"};
  HF_TRY(remove_socket(path));
  Fd fd(socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  if (!fd) return system_error("socket");
  if (bind(fd.get(), reinterpret_cast<const sockaddr*>(&address), sizeof(address)) != 0)
    return system_error("bind", path);
  if (chmod(path.c_str(), mode) != 0) return system_error("chmod", path);
  if (listen(fd.get(), kBacklog) != 0) return system_error("listen", path);
  return fd;
}

Result<void> send_datagram(const std::string& path, std::string_view bytes) {
  HF_TRY_ASSIGN(const auto address, named_address(path));
  const Fd fd(socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0));
  if (!fd) return system_error("socket");
  if (sendto(fd.get(), bytes.data(), bytes.size(), MSG_NOSIGNAL, address.pointer(),
             address.length) < 0)
    return system_error("send", path);
  return {};
}

Result<std::optional<Fd>> accept_one(int listener_fd) {
  Fd fd(accept4(listener_fd, nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK));
  if (fd) return std::optional<Fd>(std::move(fd));
  if (errno == EAGAIN || errno == EINTR || errno == ECONNABORTED) return std::optional<Fd>();
  return system_error("accept");
}

Result<Fd> connect_to(const std::string& path) {
  HF_TRY_ASSIGN(const auto address, address_of(path));
  Fd fd(socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
  if (!fd) return system_error("socket");
  if (connect(fd.get(), reinterpret_cast<const sockaddr*>(&address), sizeof(address)) != 0)
    return system_error("connect", path);
  return fd;
}

Result<Fd> bind_abstract_name(const std::string& name) {
  HF_TRY_ASSIGN(const auto address, named_address(name));
  Fd fd(socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
  if (!fd) return system_error("socket");
  if (bind(fd.get(), address.pointer(), address.length) != 0) return system_error("bind", name);
  return fd;
}

// The columns are "Num RefCount Protocol Flags Type St Inode Path"; the first line is this header.
Result<std::vector<std::string>> abstract_names() {
  HF_TRY_ASSIGN(const auto text, read_text_file("/proc/net/unix"));
  std::vector<std::string> names;
  for (const std::string_view line : split(text, '\n')) {
    const std::size_t at = line.find(" @");
    if (at != std::string_view::npos) names.emplace_back(line.substr(at + 1));
  }
  return names;
}

Result<Fd> make_unix_datagram_socket() {
  Fd fd(::socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0));
  if (!fd) return system_error("socket");
  return fd;
}

Result<PeerCredentials> peer_credentials(int socket_fd) {
  ucred credentials = {};
  socklen_t bytes = sizeof(credentials);
  if (getsockopt(socket_fd, SOL_SOCKET, SO_PEERCRED, &credentials, &bytes) != 0)
    return system_error("SO_PEERCRED");
  return PeerCredentials{credentials.pid, credentials.uid, credentials.gid};
}

Result<Fd> peer_process(int socket_fd) {
  constexpr int kPeerPidfd = 77;  // SO_PEERPIDFD, not in the headers of older build machines
  int pidfd = -1;
  socklen_t bytes = sizeof(pidfd);
  if (getsockopt(socket_fd, SOL_SOCKET, kPeerPidfd, &pidfd, &bytes) == 0) return Fd(pidfd);
  if (errno != ENOPROTOOPT) return system_error("ask for the peer's process");
  HF_TRY_ASSIGN(const auto credentials, peer_credentials(socket_fd));
  return open_pidfd(credentials.pid);
}

Result<std::size_t> send_some(int socket_fd, std::string_view bytes) {
  const ssize_t sent = send(socket_fd, bytes.data(), bytes.size(), MSG_NOSIGNAL);
  if (sent >= 0) return static_cast<std::size_t>(sent);
  if (errno == EAGAIN || errno == EINTR) return std::size_t{0};
  return system_error("send");
}

Result<bool> receive_some(int socket_fd, std::string& to, Wait wait) {
  std::array<char, 65536> block;
  for (;;) {
    const ssize_t got =
        recv(socket_fd, block.data(), block.size(), wait == Wait::no ? MSG_DONTWAIT : 0);
    if (got == 0) return false;
    if (got > 0) {
      to.append(block.data(), static_cast<std::size_t>(got));
      return true;
    }
    if (errno == EAGAIN) return true;
    if (errno != EINTR) return system_error("receive");
  }
}

Result<void> label_socket_file(const std::string& path, const std::string& name,
                               std::string_view value) {
  if (setxattr(path.c_str(), name.c_str(), value.data(), value.size(), 0) != 0)
    return system_error("label", path);
  return {};
}

}  // namespace holdfast::kernel
