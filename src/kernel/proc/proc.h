// SPDX-License-Identifier: Apache-2.0
// What /proc says about other threads: proc(5).
#ifndef HOLDFAST_KERNEL_PROC_PROC_H
#define HOLDFAST_KERNEL_PROC_PROC_H

#include <sys/types.h>

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/fd.h"
#include "base/result.h"
#include "kernel/process/namespaces.h"

namespace holdfast::kernel {

// The entries of /proc/PID/ns: one for each type, by bit number, then the two for children.
inline constexpr std::size_t kPidForChildren = kNamespaceTypeCount;
inline constexpr std::size_t kTimeForChildren = kNamespaceTypeCount + 1;
inline constexpr std::size_t kNamespaceLinkCount = kNamespaceTypeCount + 2;

// The type that an entry stands for.
[[nodiscard]] constexpr unsigned type_of_link(std::size_t link) {
  if (link == kPidForChildren) return kPidNamespace;
  if (link == kTimeForChildren) return kTimeNamespace;
  return static_cast<unsigned>(link);
}

// A pid namespace for children that has no init yet shows no number, and can be entered by nobody.
inline constexpr NamespaceInode kUnbornNamespace = 0;
// A type that this kernel does not have.
inline constexpr NamespaceInode kNoNamespace = ~NamespaceInode{0};

struct TaskNamespaces {
  std::array<NamespaceInode, kNamespaceLinkCount> link;
};

struct TaskStatus {
  pid_t thread;         // "Pid"
  pid_t process;        // "Tgid"
  pid_t parent;         // "PPid"; 0: outside the reader's pid namespace
  unsigned threads;     // of its process
  std::uint32_t uid;    // effective
  pid_t innermost_pid;  // its number in its own pid namespace
  unsigned filters;     // seccomp filters that are on it
  bool stopped;         // by a signal, or by who traces it
};

// Who a thread is to others. Numbers as the reader's user namespace sees them.
struct Credentials {
  std::array<std::uint32_t, 4> uids;  // real, effective, saved, of the file system
  std::array<std::uint32_t, 4> gids;
  std::vector<std::uint32_t> groups;  // sorted
  std::uint64_t capabilities;         // effective, a bit each (CAP_*)
  std::string context;                // of security modules that label tasks; empty: there is none

  bool operator==(const Credentials&) const = default;
};

// What permission checks on files go by. Numbers as the reader's user namespace sees them.
struct FileCredentials {
  std::uint32_t uid;                  // fsuid
  std::uint32_t gid;                  // fsgid
  std::vector<std::uint32_t> groups;  // sorted
  std::uint64_t capabilities;  // effective, a bit each (CAP_*), in the thread's own user namespace

  bool operator==(const FileCredentials&) const = default;
};

// A thread's memory, pinned: it never comes to be another thread's.
class TaskMemory {
 public:
  // Exactly so many bytes, or EFAULT.
  [[nodiscard]] Result<std::string> read(std::uint64_t address, std::size_t bytes) const;
  // Up to the first NUL, without it. E2BIG: none among the first `limit` bytes. EFAULT.
  [[nodiscard]] Result<std::string> read_string(std::uint64_t address, std::size_t limit) const;
  // EFAULT. Only into what this very memory maps: unlike the thread itself it can write to private
  // pages that are read-only.
  [[nodiscard]] Result<void> write(std::uint64_t address, std::string_view bytes) const;

 private:
  friend class TaskDirectory;
  explicit TaskMemory(Fd fd) : fd_(std::move(fd)) {}
  Fd fd_;
};

// One thread. Holds its /proc directory, which never comes to mean another thread: when it has
// died, every read is ESRCH. EACCES: this process may not trace it.
class TaskDirectory {
 public:
  [[nodiscard]] Result<TaskNamespaces> namespaces() const;
  [[nodiscard]] Result<TaskStatus> status() const;
  [[nodiscard]] Result<std::string> command_name() const;
  [[nodiscard]] Result<Fd> open_namespace(std::size_t link) const;
  [[nodiscard]] Result<FileCredentials> file_credentials() const;
  [[nodiscard]] Result<Credentials> credentials() const;
  [[nodiscard]] Result<TaskMemory> memory() const;
  // What "/" and "." are for it: O_PATH descriptors.
  [[nodiscard]] Result<Fd> root() const;
  [[nodiscard]] Result<Fd> working_directory() const;
  // What one of its descriptors names now, as an O_PATH descriptor. ENOENT: it has none of this
  // number.
  [[nodiscard]] Result<Fd> named_by(int descriptor) const;
  // Another one of the same thread.
  [[nodiscard]] Result<TaskDirectory> duplicate() const;
  // Is a signal pending that it does not block? No, also when that cannot be read.
  [[nodiscard]] bool signal_waits() const;
  // Could it open another file now (RLIMIT_NOFILE)?
  [[nodiscard]] Result<bool> has_room_for_descriptor() const;
  // Its cgroup in the unified hierarchy, as a path below the reader's cgroup namespace.
  [[nodiscard]] Result<std::string> cgroup() const;
  // All of its mountinfo: see mount_table.h.
  [[nodiscard]] Result<std::string> mount_info() const;
  // Of the thread's process. Racy by nature: it may miss some, and a number may be reused.
  [[nodiscard]] std::vector<pid_t> threads() const;
  [[nodiscard]] std::vector<pid_t> children() const;

 private:
  friend class Proc;
  TaskDirectory(Fd directory, std::uint32_t known_links)
      : directory_(std::move(directory)), known_links_(known_links) {}

  Fd directory_;
  std::uint32_t known_links_;  // bit: the kernel has this entry
};

// A view of /proc. With privilege it is a mount of its own that is attached nowhere, so that nobody
// in the tree can mount something else over what is read here.
class Proc {
 public:
  static Result<Proc> open();
  // Any directory with the layout of /proc, as tests make one. It needs an entry of this process.
  static Result<Proc> at(Fd root);
  // ENOENT: no such thread.
  [[nodiscard]] Result<TaskDirectory> task(pid_t thread) const;
  [[nodiscard]] std::vector<pid_t> processes() const;
  // The process a pidfd of this process refers to; -1: it has been reaped.
  [[nodiscard]] Result<pid_t> process_of_pidfd(int pidfd) const;
  // All of /proc/self/fdinfo/FD.
  [[nodiscard]] Result<std::string> descriptor_info(int fd) const;

 private:
  explicit Proc(Fd root) : root_(std::move(root)) {}
  Result<void> probe_links();

  Fd root_;
  std::uint32_t known_links_ = (1u << kNamespaceLinkCount) - 1;
};

}  // namespace holdfast::kernel

#endif  // HOLDFAST_KERNEL_PROC_PROC_H
