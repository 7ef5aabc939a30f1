// SPDX-License-Identifier: Apache-2.0
// Files of cgroup hierarchies, by descriptor.
#ifndef HOLDFAST_KERNEL_CGROUP_CGROUP_FILES_H
#define HOLDFAST_KERNEL_CGROUP_CGROUP_FILES_H

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/fd.h"
#include "base/result.h"
#include "kernel/cgroup/cgroup.h"

namespace holdfast::kernel {

enum class Hierarchy { unified, v1 };

// The hierarchy that an open file belongs to; nothing: no file of a cgroup's.
[[nodiscard]] std::optional<Hierarchy> hierarchy_of(int fd);

struct CgroupFile {
  CgroupId cgroup = 0;
  std::string path;  // of the cgroup, below the root of the reader's cgroup namespace
  std::string name;  // "cgroup.procs"
};

// Where cgroup hierarchies are mounted, as it was when this was made. Any thread, but for
// has_grown().
class CgroupMounts {
 public:
  // Of this process's mount namespace.
  static Result<CgroupMounts> read();

  // Is a hierarchy mounted now where none was? Yes, for good, once it was so, or could not be told.
  [[nodiscard]] bool has_grown();

  // All mount points, of either version.
  [[nodiscard]] const std::vector<std::string>& points() const { return points_; }
  // The unified hierarchy from its root on; "": not mounted.
  [[nodiscard]] const std::string& unified() const { return unified_; }
  // What file of the unified hierarchy `fd` is. Errors: ESTALE when no mount that is known shows
  // it.
  [[nodiscard]] Result<CgroupFile> file(int fd) const;
  // Of a cgroup of the unified hierarchy. Errors: what stat(2) says.
  [[nodiscard]] Result<CgroupId> id(const std::string& path) const;

 private:
  struct Unified {
    std::string root;
    std::string point;
  };
  std::vector<std::string> points_;
  std::vector<Unified> parts_;
  std::string unified_;
  Fd changes_;  // mountinfo, which poll(2) tells of changes of
  bool grown_ = false;
};

// openat2(2) with O_PATH, these flags besides, and RESOLVE_* in `resolve`.
[[nodiscard]] Result<Fd> find_file(int base_fd, const std::string& path, int flags,
                                   std::uint64_t resolve);

// The same file once more, opened with these flags. Errors: what open(2) says, to this process.
[[nodiscard]] Result<Fd> reopen(int fd, int flags);

// Descriptors of this process with which a file of a cgroup can be written, "5: /sys/fs/cgroup/…".
[[nodiscard]] Result<std::vector<std::string>> writable_cgroup_files();

// The number that cgroup.procs takes a text for: cgroup_procs_write_start() of the kernel, which
// strips blanks, then kstrtoint() with base 0. 0: the writer. Nothing: EINVAL (or ERANGE, which
// the kernel makes EINVAL).
[[nodiscard]] std::optional<pid_t> task_number_written(std::string_view text);

// What this process would hand down to a program that it executes, and where the same hierarchy may
// stand at another place: directories and files of cgroups that lie in no mount that this process
// sees. "9: /path", "working directory".
[[nodiscard]] Result<std::vector<std::string>> files_beyond_mounts();

// What a write of `number` to the file does: moves that task. Errors: what write(2) says.
Result<void> move_task(int file_fd, pid_t number);

}  // namespace holdfast::kernel

#endif  // HOLDFAST_KERNEL_CGROUP_CGROUP_FILES_H
