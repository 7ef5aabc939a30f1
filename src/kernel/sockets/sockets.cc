// SPDX-License-Identifier: Apache-2.0
#include "kernel/sockets/sockets.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/xattr.h>
#include <unistd.h>

#include <fmt/core.h>

#include <algorithm>
#include <cstring>

#include "kernel/sockets/local_socket.h"
#include "kernel/system_error.h"

namespace holdfast::kernel {
namespace {

constexpr std::size_t kUsualValueBytes = 256;
constexpr std::size_t kMaxBytes = 65536;  // XATTR_SIZE_MAX, XATTR_LIST_MAX

// Calls with a buffer of the usual size, and after ERANGE again with one of the maximum size.
template <typename Call>
Result<std::string> read_whole(const char* operation, const std::string& object, Call call) {
  for (const std::size_t bytes : {kUsualValueBytes, kMaxBytes}) {
    std::string text(bytes, '\0');
    const ssize_t length = call(text.data(), text.size());
    if (length >= 0) {
      text.resize(static_cast<std::size_t>(length));
      return text;
    }
    if (errno != ERANGE) break;
  }
  return system_error(operation, object);
}

std::vector<std::string> split_names(const std::string& list) {
  std::vector<std::string> names;
  for (std::size_t at = 0; at < list.size();) {
    names.emplace_back(list.c_str() + at);
    at += names.back().size() + 1;
  }
  return names;
}

Result<int> socket_option(int socket_fd, int option, const char* name) {
  int value = 0;
  socklen_t length = sizeof(value);
  if (::getsockopt(socket_fd, SOL_SOCKET, option, &value, &length) != 0) return system_error(name);
  return value;
}

}  // namespace

Result<FileFacts> describe_file(int fd) {
  // Not fstat(2), which may ask the server of the file system.
  struct statx status = {};
  constexpr unsigned kWanted = STATX_TYPE | STATX_MODE | STATX_UID | STATX_GID | STATX_INO;
  if (::statx(fd, "", AT_EMPTY_PATH | AT_STATX_DONT_SYNC, kWanted, &status) != 0)
    return system_error("statx");
  const int flags = ::fcntl(fd, F_GETFL);
  if (flags < 0) return system_error("fcntl");
  return FileFacts{S_ISSOCK(status.stx_mode), (flags & O_PATH) != 0, status.stx_uid, status.stx_gid,
                   status.stx_mode,           status.stx_ino};
}

Result<std::uint64_t> socket_cookie(int socket_fd) {
  std::uint64_t cookie = 0;
  socklen_t length = sizeof(cookie);
  if (::getsockopt(socket_fd, SOL_SOCKET, SO_COOKIE, &cookie, &length) != 0)
    return system_error("SO_COOKIE");
  return cookie;
}

Result<int> socket_family(int socket_fd) {
  return socket_option(socket_fd, SO_DOMAIN, "SO_DOMAIN");
}

Result<int> socket_type(int socket_fd) { return socket_option(socket_fd, SO_TYPE, "SO_TYPE"); }

namespace {

std::string family_name(int family) {
  switch (family) {
    case AF_UNIX:
      return "unix";
    case AF_INET:
      return "inet";
    case AF_INET6:
      return "inet6";
    case AF_NETLINK:
      return "netlink";
    case AF_PACKET:
      return "packet";
    case AF_VSOCK:
      return "vsock";
    default:
      return std::to_string(family);
  }
}

struct Address {
  sockaddr_storage raw = {};
  socklen_t length = 0;
};

std::string unix_name(const Address& address, bool& path) {
  const auto& raw = reinterpret_cast<const sockaddr_un&>(address.raw);
  const std::size_t bytes =
      address.length - std::min<std::size_t>(address.length, sizeof(sa_family_t));
  if (bytes == 0) return {};
  path = raw.sun_path[0] == '/';
  if (raw.sun_path[0] == '\0')
    return fmt::format("@{}", std::string_view(raw.sun_path + 1, bytes - 1));
  return {raw.sun_path, ::strnlen(raw.sun_path, bytes)};
}

// "127.0.0.1:80", "[::1]:80"; empty for port 0.
std::string internet_name(const Address& address) {
  char text[INET6_ADDRSTRLEN] = "";
  if (address.raw.ss_family == AF_INET) {
    const auto& raw = reinterpret_cast<const sockaddr_in&>(address.raw);
    if (raw.sin_port == 0) return {};
    ::inet_ntop(AF_INET, &raw.sin_addr, text, sizeof(text));
    return fmt::format("{}:{}", text, ntohs(raw.sin_port));
  }
  const auto& raw = reinterpret_cast<const sockaddr_in6&>(address.raw);
  if (raw.sin6_port == 0) return {};
  ::inet_ntop(AF_INET6, &raw.sin6_addr, text, sizeof(text));
  return fmt::format("[{}]:{}", text, ntohs(raw.sin6_port));
}

std::string name_of(const Address& address, bool& path) {
  switch (address.raw.ss_family) {
    case AF_UNIX:
      return unix_name(address, path);
    case AF_INET:
    case AF_INET6:
      return internet_name(address);
    default:
      return {};
  }
}

}  // namespace

Result<SocketEnd> describe_socket(int socket_fd) {
  HF_TRY_ASSIGN(const auto family, socket_family(socket_fd));
  SocketEnd end = {family_name(family), "open", {}, false};
  Address own;
  own.length = sizeof(own.raw);
  if (::getsockname(socket_fd, reinterpret_cast<sockaddr*>(&own.raw), &own.length) != 0)
    return system_error("getsockname");
  own.length = std::min<socklen_t>(own.length, sizeof(own.raw));
  end.address = name_of(own, end.path);
  if (!end.address.empty()) end.state = "bound";
  const auto listens = socket_option(socket_fd, SO_ACCEPTCONN, "SO_ACCEPTCONN");
  if (listens && *listens) end.state = "listening";
  Address peer;
  peer.length = sizeof(peer.raw);
  if (::getpeername(socket_fd, reinterpret_cast<sockaddr*>(&peer.raw), &peer.length) == 0) {
    end.state = "connected";
    bool ignored = false;
    peer.length = std::min<socklen_t>(peer.length, sizeof(peer.raw));
    const std::string name = name_of(peer, ignored);
    if (!name.empty())
      end.address = fmt::format("{}{}-> {}", end.address, end.address.empty() ? "" : " ", name);
    if (ignored) end.path = false;
  }
  return end;
}

Result<void> call_getpeername(int socket_fd) {
  Address peer;
  peer.length = sizeof(peer.raw);
  if (::getpeername(socket_fd, reinterpret_cast<sockaddr*>(&peer.raw), &peer.length) != 0)
    return system_error("getpeername");
  return {};
}

bool has_socket_attributes() {
  static const bool has = [] {
    const auto fd = make_unix_datagram_socket();
    return fd && ::fsetxattr(fd->get(), kProbeAttribute, "", 0, 0) == 0;
  }();
  return has;
}

Result<std::string> get_attribute(int fd, const std::string& name) {
  return read_whole("get attribute", name, [&](char* at, std::size_t bytes) {
    return ::fgetxattr(fd, name.c_str(), at, bytes);
  });
}

Result<void> set_attribute(int fd, const std::string& name, std::string_view value, int flags) {
  if (::fsetxattr(fd, name.c_str(), value.data(), value.size(), flags) != 0)
    return system_error("set attribute", name);
  return {};
}

Result<void> remove_attribute(int fd, const std::string& name) {
  if (::fremovexattr(fd, name.c_str()) != 0) return system_error("remove attribute", name);
  return {};
}

Result<std::vector<std::string>> list_attributes(int fd) {
  const auto read = [&](char* at, std::size_t bytes) { return ::flistxattr(fd, at, bytes); };
  HF_TRY_ASSIGN(const auto list, read_whole("list attributes", {}, read));
  return split_names(list);
}

Result<std::string> get_path_attribute(const std::string& path, const std::string& name) {
  return read_whole("get attribute of", path, [&](char* at, std::size_t bytes) {
    return ::getxattr(path.c_str(), name.c_str(), at, bytes);
  });
}

Result<void> set_path_attribute(const std::string& path, const std::string& name,
                                std::string_view value, int flags) {
  if (::setxattr(path.c_str(), name.c_str(), value.data(), value.size(), flags) != 0)
    return system_error("set attribute of", path);
  return {};
}

Result<void> remove_path_attribute(const std::string& path, const std::string& name) {
  if (::removexattr(path.c_str(), name.c_str()) != 0)
    return system_error("remove attribute of", path);
  return {};
}

Result<std::vector<std::string>> list_path_attributes(const std::string& path) {
  const auto read = [&](char* at, std::size_t bytes) {
    return ::listxattr(path.c_str(), at, bytes);
  };
  HF_TRY_ASSIGN(const auto list, read_whole("list attributes of", path, read));
  return split_names(list);
}

}  // namespace holdfast::kernel
