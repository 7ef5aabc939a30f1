// SPDX-License-Identifier: Apache-2.0
// The permission check and the limits of extended attributes on sockets, the same as in Linux 7.3
// (fs/xattr.c, net/socket.c).
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

// The kernel's limits for one socket (SIMPLE_XATTR_MAX_NR, SIMPLE_XATTR_MAX_SIZE). The second one
// is the sum of all values, in bytes.
inline constexpr std::size_t kMaxLabels = 128;
inline constexpr std::size_t kMaxValueBytes = 128u << 10;

// XATTR_CREATE, XATTR_REPLACE. A call with both always fails, as in the kernel.
inline constexpr int kCreate = 1;
inline constexpr int kReplace = 2;

// What a socket has before a label is set.
struct Present {
  std::size_t labels = 0;
  std::size_t value_bytes = 0;  // of all labels
  bool has_it = false;          // the label that is set
};

// May a value of `bytes` bytes be set with these flags? Returns 0 or the kernel's errno, in its order.
// ENOSPC: over a limit, which is checked before the name, so replacing a value in a full socket fails
// too. EEXIST: kCreate and the label exists. ENODATA: kReplace and it does not. Pure.
[[nodiscard]] int check_set(const Present& present, std::size_t bytes, int flags);

[[nodiscard]] inline bool is_label_name(std::string_view name) {
  return name.starts_with(kUserPrefix);
}

enum class Access { read, write };

// Whether the caller's capabilities count. They do not when the caller may be in another user
// namespace than the creator of the socket. This is stricter than the kernel when the socket's mode
// does not permit the access.
enum class Capabilities { count, do_not_count };

// inode_permission() for the socket's inode, without ACLs. Returns 0 or EACCES. Pure.
[[nodiscard]] int check_access(const kernel::FileFacts& socket,
                               const kernel::FileCredentials& caller, Capabilities capabilities,
                               Access access);

}  // namespace holdfast::label

#endif  // HOLDFAST_LABEL_ACCESS_H
