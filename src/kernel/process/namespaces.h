// SPDX-License-Identifier: Apache-2.0
// Namespaces as the kernel shows them: types, inode numbers, parents. namespaces(7), ioctl_ns(2).
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

// By bit number of the masks used everywhere in holdfast.
inline constexpr std::size_t kNamespaceTypeCount = 8;
extern const std::array<NamespaceType, kNamespaceTypeCount> kNamespaceTypes;

// Bit numbers.
inline constexpr unsigned kMntNamespace = 0;
inline constexpr unsigned kUserNamespace = 3;
inline constexpr unsigned kPidNamespace = 4;
inline constexpr unsigned kNetNamespace = 5;
inline constexpr unsigned kTimeNamespace = 7;

// A mask of types from CLONE_NEW* flags, and back. Other flags are ignored.
[[nodiscard]] std::uint32_t types_from_clone_flags(std::uint64_t flags);
[[nodiscard]] std::uint64_t clone_flags_from_types(std::uint32_t types);
[[nodiscard]] std::optional<unsigned> type_by_name(std::string_view name);

// The inode number in nsfs. Unique among all namespaces that exist; reused once one is gone, so
// hold a descriptor for as long as the number is remembered.
using NamespaceInode = std::uint64_t;

struct NamespaceObject {
  unsigned type;  // bit number
  NamespaceInode inode;
};

// What a descriptor refers to. ENOTTY: not a namespace (decided by the superblock's magic).
Result<NamespaceObject> identify_namespace(int fd);

// Of a task, by /proc; needs the right to trace it. ENOENT: the kernel lacks the type.
Result<Fd> open_namespace(pid_t pid, unsigned type);

// A bind mount of a namespace, by path. Opening has no side effect, whatever is there. ENOTTY:
// something else is.
Result<Fd> open_namespace_file(const std::string& path);

// The parent of a user or pid namespace. EPERM: there is none, or it is above the caller's own.
Result<Fd> parent_namespace(int namespace_fd);

// The caller's number for the task that `pid_namespace_fd` calls `pid`. ESRCH: no such task.
// ENOTTY: the kernel has no NS_GET_PID_FROM_PIDNS (before 6.11).
Result<pid_t> pid_from_namespace(int pid_namespace_fd, pid_t pid);

}  // namespace holdfast::kernel

#endif  // HOLDFAST_KERNEL_PROCESS_NAMESPACES_H
