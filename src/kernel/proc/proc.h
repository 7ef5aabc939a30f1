// SPDX-License-Identifier: Apache-2.0
// Facts about other threads, from /proc: proc(5).
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

// The entries of /proc/PID/ns: one for each type, by bit number, then pid_for_children and
// time_for_children.
inline constexpr std::size_t kPidForChildren = kNamespaceTypeCount;
inline constexpr std::size_t kTimeForChildren = kNamespaceTypeCount + 1;
inline constexpr std::size_t kNamespaceLinkCount = kNamespaceTypeCount + 2;

// The namespace type (bit number) of an entry.
[[nodiscard]] constexpr unsigned type_of_link(std::size_t link) {
  if (link == kPidForChildren) return kPidNamespace;
  if (link == kTimeForChildren) return kTimeNamespace;
  return static_cast<unsigned>(link);
}

// A pid_for_children namespace without an init process: its link cannot be read, and no task can
// enter it.
inline constexpr NamespaceInode kNamespaceWithoutInit = 0;
// The entry of a type that this kernel does not have.
inline constexpr NamespaceInode kNoNamespace = ~NamespaceInode{0};

struct TaskNamespaces {
  std::array<NamespaceInode, kNamespaceLinkCount> link;
};

struct TaskStatus {
  pid_t thread;             // "Pid"
  pid_t process;            // "Tgid"
  pid_t parent;             // "PPid"; 0: outside the reader's pid namespace, or none
  unsigned threads;         // number of threads of its process
  std::uint32_t uid;        // effective
  pid_t innermost_pid;      // last number of "NSpid": in its own pid namespace
  unsigned filters;         // number of its seccomp filters; 0 before Linux 5.9
  bool stopped;             // by a signal or by a tracer: state T or t
  bool ended;               // it has ended and is not reaped: state Z or X
  unsigned umask;           // of its file creations
  pid_t innermost_process;  // last number of "NStgid"; 0: not known
};

// A signal that waits for a thread, which neither blocks nor ignores it. A signal that was sent to
// a process waits for one of its threads, and the kernel does not say for which.
struct PendingSignal {
  // own: this thread will handle it. some_thread: this or another thread of the process.
  enum class Whose { none, own, some_thread } whose;
  pid_t process;
  pid_t thread;
};

// The signals that wait for all tasks of one user in one user namespace.
struct SignalQueue {
  std::uint32_t uid;      // the thread's real user
  std::uint64_t signals;  // counts also the timers of these tasks
  std::uint64_t limit;    // RLIMIT_SIGPENDING; without room, a signal waits without being counted
};

// When a task was made, and whether it has executed a program since.
struct TaskBirth {
  std::uint64_t start_ticks;  // CLOCK_BOOTTIME, in clock ticks: see ticks_of_boottime()
  bool executed;              // false also for every thread but the one that executed the program
};

// The clock tick that a time of CLOCK_BOOTTIME lies in, as /proc/PID/stat counts them.
[[nodiscard]] std::uint64_t ticks_of_boottime(std::uint64_t boottime_ns);

// The credentials of a thread as a target of permission checks. Ids are in the reader's user
// namespace.
struct Credentials {
  std::array<std::uint32_t, 4> uids;  // real, effective, saved, of the file system
  std::array<std::uint32_t, 4> gids;
  std::vector<std::uint32_t> groups;  // sorted
  std::uint64_t capabilities;         // effective, a bit each (CAP_*)
  std::string context;                // /proc/PID/attr/current; empty: no module labels tasks

  bool operator==(const Credentials&) const = default;
};

// The credentials that permission checks on files use. Ids are in the reader's user namespace.
struct FileCredentials {
  std::uint32_t uid;                  // fsuid
  std::uint32_t gid;                  // fsgid
  std::vector<std::uint32_t> groups;  // sorted
  std::uint64_t capabilities;  // effective, a bit each (CAP_*), in the thread's own user namespace

  bool operator==(const FileCredentials&) const = default;
};

// A thread that is to get a new file.
struct FileReceiver {
  FileCredentials credentials;
  bool has_room;  // it could open another file now, by its RLIMIT_NOFILE
};

// The memory of a thread: an open /proc/PID/mem. It refers to the same mm for ever, also after an
// exec. Any thread may use it.
class TaskMemory {
 public:
  // Exactly `bytes` bytes. Errors: EFAULT, also when the thread's memory no longer exists.
  [[nodiscard]] Result<std::string> read(std::uint64_t address, std::size_t bytes) const;
  // The bytes before the first NUL. Errors: E2BIG, no NUL in the first `limit` bytes; EFAULT.
  [[nodiscard]] Result<std::string> read_string(std::uint64_t address, std::size_t limit) const;
  // Writes all bytes. Errors: EFAULT; some bytes may have been written. Unlike a write by the
  // thread itself, it succeeds on read-only private pages (FOLL_FORCE).
  [[nodiscard]] Result<void> write(std::uint64_t address, std::string_view bytes) const;

 private:
  friend class TaskDirectory;
  explicit TaskMemory(Fd fd) : fd_(std::move(fd)) {}
  Fd fd_;
};

// Counts the threads of a process, by its open /proc/PID/task directory, which never refers to another
// process.
class ThreadCount {
 public:
  // 0: the process has ended, or this cannot be told.
  [[nodiscard]] unsigned now() const;

 private:
  friend class TaskDirectory;
  explicit ThreadCount(Fd fd) : fd_(std::move(fd)) {}
  Fd fd_;
};

// One thread, by its open /proc/PID directory. The directory never refers to another thread, even
// when the number is reused: after the thread's death every read fails with ESRCH or ENOENT.
// EACCES: this process may not trace the thread. EPROTO: a file could not be parsed. The object may
// be used by any thread, one at a time.
class TaskDirectory {
 public:
  [[nodiscard]] Result<TaskNamespaces> namespaces() const;
  [[nodiscard]] Result<TaskStatus> status() const;
  [[nodiscard]] Result<TaskBirth> birth() const;
  // "comm", without the newline.
  [[nodiscard]] Result<std::string> command_name() const;
  // The name of the program that it executes: of the file, without directories. Of a file in memory
  // or a mount without a place, whose names say nothing, that of its first argument. Its user chooses either.
  [[nodiscard]] Result<std::string> program_name() const;
  // A descriptor for setns(2) and ioctl_ns(2). `link` is an index of TaskNamespaces::link.
  [[nodiscard]] Result<Fd> open_namespace(std::size_t link) const;
  [[nodiscard]] Result<FileCredentials> file_credentials() const;
  [[nodiscard]] Result<Credentials> credentials() const;
  [[nodiscard]] Result<TaskMemory> memory() const;
  [[nodiscard]] Result<ThreadCount> thread_count() const;
  // Is it in this namespace, or are its next children? `type` is the bit number of the namespace's type.
  // False also if this cannot be told.
  [[nodiscard]] bool is_in(NamespaceInode inode, unsigned type) const;
  // Its root directory and its working directory, as O_PATH descriptors.
  [[nodiscard]] Result<Fd> root() const;
  [[nodiscard]] Result<Fd> working_directory() const;
  // The file of its descriptor `number` now, as an O_PATH descriptor. Errors: ENOENT, it has no
  // such descriptor.
  [[nodiscard]] Result<Fd> open_descriptor(int number) const;
  // What its descriptor `number` is now. Touches no file, and so never waits for a file system.
  // unknown: this process may not look.
  enum class DescriptorKind { none, socket, other, unknown };
  [[nodiscard]] DescriptorKind descriptor_kind(int number) const;
  // The file system of its descriptor `number`. Asks no server of it. Errors: as open_descriptor().
  [[nodiscard]] Result<dev_t> descriptor_device(int number) const;
  // The namespace that its descriptor `number` is of now, if its link tells. Touches no file. Errors:
  // ENOTTY, another file, or a namespace that was bound to a path; EBADF, it was opened with O_PATH;
  // of readlink(2).
  [[nodiscard]] Result<NamespaceObject> descriptor_namespace(int number) const;
  // Was it opened with O_PATH? False also if this cannot be told.
  [[nodiscard]] bool descriptor_is_path_only(int number) const;
  // Is its descriptor `number` a file with a path and no namespace? Calls on a duplicate of it may ask
  // a server of its file system. Touches no file.
  [[nodiscard]] bool names_served_file(int number) const;
  // A second object for the same thread.
  [[nodiscard]] Result<TaskDirectory> duplicate() const;
  [[nodiscard]] Result<PendingSignal> pending_signal() const;
  [[nodiscard]] Result<SignalQueue> signal_queue() const;
  // `thread` is its number. If that is another thread's by now, the result is of no use.
  [[nodiscard]] Result<FileReceiver> receiver(pid_t thread) const;
  // RLIMIT_LOCKS of its process, the soft limit; RLIM_INFINITY: unlimited.
  [[nodiscard]] Result<std::uint64_t> file_lock_limit() const;
  // Its cgroup in the unified hierarchy, as a path relative to the root of the reader's cgroup
  // namespace. Empty: the kernel lists no unified hierarchy.
  [[nodiscard]] Result<std::string> cgroup() const;
  // The whole text of its mountinfo; parse_mount_table() parses it.
  [[nodiscard]] Result<std::string> mount_info() const;
  // The threads, and the child processes, of the thread's process. Not atomic: a result may miss
  // tasks, and a number may already be reused. Empty on errors.
  [[nodiscard]] std::vector<pid_t> threads() const;
  [[nodiscard]] std::vector<pid_t> children() const;

 private:
  friend class Proc;
  [[nodiscard]] Result<std::uint64_t> soft_limit(std::string_view name) const;
  TaskDirectory(Fd directory, std::uint32_t known_links)
      : directory_(std::move(directory)), known_links_(known_links) {}

  Fd directory_;
  std::uint32_t known_links_;  // bit mask of the entries that the kernel has
};

// A view of /proc. With CAP_SYS_ADMIN it is a detached mount of procfs, so that no supervised task
// can mount another file system over it. Else it is the mount at /proc.
class Proc {
 public:
  // Errors: of open(2).
  static Result<Proc> open();
  // Any directory with the layout of /proc, as tests make one. It needs an entry of this process.
  static Result<Proc> at(Fd root);
  // ENOENT: no such thread.
  [[nodiscard]] Result<TaskDirectory> task(pid_t thread) const;
  // All processes, in no order. Empty when the directory cannot be read.
  [[nodiscard]] std::vector<pid_t> processes() const;
  // The process that a pidfd refers to; -1: it has been reaped. Errors: EBADF, not a pidfd.
  [[nodiscard]] Result<pid_t> process_of_pidfd(int pidfd) const;
  // The whole text of /proc/self/fdinfo/FD.
  [[nodiscard]] Result<std::string> descriptor_info(int fd) const;

 private:
  explicit Proc(Fd root) : root_(std::move(root)) {}
  Result<void> probe_links();

  Fd root_;
  std::uint32_t known_links_ = (1u << kNamespaceLinkCount) - 1;
};

}  // namespace holdfast::kernel

#endif  // HOLDFAST_KERNEL_PROC_PROC_H
