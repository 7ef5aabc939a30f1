// SPDX-License-Identifier: Apache-2.0
// The rules of extended attributes on sockets, as Linux 7.3 applies them to its own (fs/xattr.c,
// net/socket.c): what is checked, in which order, with which errno.
#ifndef HOLDFAST_LABEL_ACCESS_H
#define HOLDFAST_LABEL_ACCESS_H

#include <cstddef>
#include <string_view>

#include "kernel/proc/proc.h"
#include "kernel/sockets/sockets.h"

namespace holdfast::label {

inline constexpr std::string_view kUserPrefix = "user.";
inline constexpr std::size_t kMaxNameBytes = 255;        // XATTR_NAME_MAX
inline constexpr std::size_t kMaxOneValueBytes = 65536;  // XATTR_SIZE_MAX
inline constexpr std::size_t kMaxListBytes = 65536;      // XATTR_LIST_MAX

[[nodiscard]] inline bool is_label_name(std::string_view name) {
  return name.starts_with(kUserPrefix);
}

enum class Access { read, write };

// Whose capabilities count: none do for a task in another user namespace than the socket's maker
// may be in, which is stricter than the kernel where the socket's mode was taken away.
enum class Capabilities { count, do_not_count };

// inode_permission() of the socket's inode. 0 or EACCES.
[[nodiscard]] int check_access(const kernel::FileFacts& socket,
                               const kernel::FileCredentials& caller, Capabilities capabilities,
                               Access access);

}  // namespace holdfast::label

#endif  // HOLDFAST_LABEL_ACCESS_H
