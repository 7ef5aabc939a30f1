// SPDX-License-Identifier: Apache-2.0
// Types, inode numbers and parents of namespaces: namespaces(7), ioctl_ns(2).
#ifndef HOLDFAST_KERNEL_PROCESS_NAMESPACES_H
#define HOLDFAST_KERNEL_PROCESS_NAMESPACES_H

#include <sys/types.h>

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "base/fd.h"
#include "base/result.h"

namespace holdfast::kernel {

struct NamespaceType {
  std::string_view name;     // "net": as in /proc/PID/ns
  std::uint32_t clone_flag;  // CLONE_NEW*
};

// Indexed by the bit number that all type masks of holdfast use.
inline constexpr std::size_t kNamespaceTypeCount = 8;
extern const std::array<NamespaceType, kNamespaceTypeCount> kNamespaceTypes;

// Bit numbers.
inline constexpr unsigned kMntNamespace = 0;
inline constexpr unsigned kUserNamespace = 3;
inline constexpr unsigned kPidNamespace = 4;
inline constexpr unsigned kNetNamespace = 5;
inline constexpr unsigned kTimeNamespace = 7;

// Converts CLONE_NEW* flags to a mask of types, and back. Other flags are ignored. Pure.
[[nodiscard]] std::uint32_t types_from_clone_flags(std::uint64_t flags);
[[nodiscard]] std::uint64_t clone_flags_from_types(std::uint32_t types);
// The bit number; nullopt: no such type.
[[nodiscard]] std::optional<unsigned> type_by_name(std::string_view name);

// The inode number in nsfs. It is unique among existing namespaces and reused afterwards. So hold a
// descriptor of the namespace for as long as you remember the number.
using NamespaceInode = std::uint64_t;

struct NamespaceObject {
  unsigned type;  // bit number
  NamespaceInode inode;
};

// The namespace that `fd` refers to. Errors: ENOTTY, not a namespace (by the superblock's magic) or
// an unknown type; of fstatfs(2), fstat(2), ioctl_ns(2).
Result<NamespaceObject> identify_namespace(int fd);

// A namespace of a task, from /proc/PID/ns. Errors: EACCES, the caller may not trace the task;
// ENOENT, no such task, or the kernel lacks the type.
Result<Fd> open_namespace(pid_t pid, unsigned type);

// Opens a namespace file, such as a bind mount of a namespace. Opens nothing else, so a path to a
// device or FIFO has no side effect. Errors: ENOTTY, not a namespace; of open(2).
Result<Fd> open_namespace_file(const std::string& path);

// The parent of a user or pid namespace. Errors: EPERM, it has none, or the parent is outside the
// caller's own namespace; EINVAL, another type.
Result<Fd> parent_namespace(int namespace_fd);

// The effective user that made the user namespace, as the caller's user namespace shows it. Errors:
// EINVAL, another type.
Result<uid_t> maker_of_user_namespace(int namespace_fd);
// The user namespace whose rights hold in the namespace; of a user namespace, its parent. Errors:
// EPERM, it is outside the caller's own user namespace.
Result<Fd> owning_user_namespace(int namespace_fd);

// Translates `pid`, a number in that pid namespace, to the caller's pid namespace. Errors: ESRCH,
// no such task; ENOTTY, the kernel has no NS_GET_PID_FROM_PIDNS (before 6.11).
Result<pid_t> pid_from_namespace(int pid_namespace_fd, pid_t pid);

}  // namespace holdfast::kernel

#endif  // HOLDFAST_KERNEL_PROCESS_NAMESPACES_H
