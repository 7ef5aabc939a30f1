// SPDX-License-Identifier: Apache-2.0
// Sockets by descriptor, and their extended attributes: socket(7), xattr(7).
#ifndef HOLDFAST_KERNEL_SOCKETS_SOCKETS_H
#define HOLDFAST_KERNEL_SOCKETS_SOCKETS_H

#include <sys/types.h>

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/fd.h"
#include "base/result.h"

namespace holdfast::kernel {

// What fstat(2) and fcntl(2) say about a descriptor.
struct FileFacts {
  bool socket;
  bool path_only;  // opened with O_PATH: of no use to calls by descriptor
  uid_t uid;
  gid_t gid;
  mode_t mode;
  std::uint64_t inode;  // reused once the file is gone
};
Result<FileFacts> describe_file(int fd);

// Unique among all sockets of this boot, never reused (SO_COOKIE). ENOTSOCK.
Result<std::uint64_t> socket_cookie(int socket_fd);
// AF_*.
Result<int> socket_family(int socket_fd);
// An unbound one, close-on-exec.
Result<Fd> make_socket();
// SOCK_*.
Result<int> socket_type(int socket_fd);

// getpeername(2), of which nobody wants the name: security modules hear of it. ENOTCONN.
Result<void> ask_peer_name(int socket_fd);

struct SocketEnd {
  std::string family;   // "unix", "inet", "inet6", ..., or a number
  std::string state;    // "listening", "connected", "bound", "open"
  std::string address;  // its own; of a connected internet socket also the peer's. Empty: none
  bool path;            // the address is a path of the file system
};
Result<SocketEnd> describe_socket(int socket_fd);

// Do sockets keep user.* attributes of their own (Linux 7.1)? Asked of a socket, once.
[[nodiscard]] bool has_socket_attributes();

enum class AttributeMode : int { any = 0, create = 1, replace = 2 };  // XATTR_*

// An attribute by descriptor. Errors: ENODATA; EOPNOTSUPP; EPERM where the kernel has none for
// sockets; ERANGE when it is longer than the kernel's limit for one.
Result<std::string> get_attribute(int fd, const std::string& name);
Result<void> set_attribute(int fd, const std::string& name, std::string_view value, int flags);
Result<void> remove_attribute(int fd, const std::string& name);
Result<std::vector<std::string>> list_attributes(int fd);

// The same by path, for a unix socket bound to it. Follows links.
Result<std::string> get_path_attribute(const std::string& path, const std::string& name);
Result<void> set_path_attribute(const std::string& path, const std::string& name,
                                std::string_view value, int flags);
Result<void> remove_path_attribute(const std::string& path, const std::string& name);
Result<std::vector<std::string>> list_path_attributes(const std::string& path);

}  // namespace holdfast::kernel

#endif  // HOLDFAST_KERNEL_SOCKETS_SOCKETS_H
