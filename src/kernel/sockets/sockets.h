// SPDX-License-Identifier: Apache-2.0
// Describes sockets, and reads and writes their extended attributes: socket(7), xattr(7).
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

// The facts of statx(2) and fcntl(2) about a descriptor. Of a file system that another process serves
// they may be old: the server of the file system is not asked.
struct FileFacts {
  bool socket;
  bool path_only;  // opened with O_PATH: calls such as fgetxattr(2) fail
  uid_t uid;
  gid_t gid;
  mode_t mode;
  std::uint64_t inode;  // reused after the file is gone
};
// Does not wait. Errors: of statx(2), fcntl(2).
Result<FileFacts> describe_file(int fd);

// A number that is unique among all sockets of this boot and never reused: SO_COOKIE. Errors:
// ENOTSOCK.
Result<std::uint64_t> socket_cookie(int socket_fd);
// AF_*. Errors: ENOTSOCK.
Result<int> socket_family(int socket_fd);
// SOCK_*. Errors: ENOTSOCK.
Result<int> socket_type(int socket_fd);

// Calls getpeername(2) and discards the name. The purpose is that the LSM hook socket_getpeername
// runs. Errors: ENOTCONN; of getpeername(2).
Result<void> call_getpeername(int socket_fd);

struct SocketEnd {
  std::string family;   // "unix", "inet", "inet6", ..., or a number
  std::string state;    // "listening", "connected", "bound", "open"
  std::string address;  // its own; for a connected internet socket also the peer's; empty: none
  bool path;            // the address is a path of the file system
};
// Errors: ENOTSOCK; of getsockname(2).
Result<SocketEnd> describe_socket(int socket_fd);

// Whether the kernel stores user.* attributes in sockets (Linux 7.1), or a holdfast that this process
// runs under does. Sets this attribute on a new socket at the first call and caches the result. Any
// thread.
inline constexpr char kProbeAttribute[] = "user.holdfast.probe";
[[nodiscard]] bool has_socket_attributes();

// Extended attributes by descriptor. `flags`: XATTR_CREATE, XATTR_REPLACE or 0. Errors: of
// fgetxattr(2), fsetxattr(2) and so on: ENODATA, no such attribute; EOPNOTSUPP; EPERM, the kernel
// has no attributes of sockets; ERANGE, longer than 65536 bytes.
Result<std::string> get_attribute(int fd, const std::string& name);
Result<void> set_attribute(int fd, const std::string& name, std::string_view value, int flags);
Result<void> remove_attribute(int fd, const std::string& name);
Result<std::vector<std::string>> list_attributes(int fd);

// The same for the file at `path`, such as a unix socket's file. Follows symbolic links.
Result<std::string> get_path_attribute(const std::string& path, const std::string& name);
Result<void> set_path_attribute(const std::string& path, const std::string& name,
                                std::string_view value, int flags);
Result<void> remove_path_attribute(const std::string& path, const std::string& name);
Result<std::vector<std::string>> list_path_attributes(const std::string& path);

}  // namespace holdfast::kernel

#endif  // HOLDFAST_KERNEL_SOCKETS_SOCKETS_H
