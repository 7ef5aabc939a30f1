// SPDX-License-Identifier: Apache-2.0
// Identifies files of cgroup hierarchies by descriptor.
#ifndef HOLDFAST_KERNEL_CGROUP_CGROUP_FILES_H
#define HOLDFAST_KERNEL_CGROUP_CGROUP_FILES_H

#include <sys/types.h>

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/fd.h"
#include "base/result.h"
#include "kernel/cgroup/cgroup.h"

namespace holdfast::kernel {

enum class Hierarchy { unified, v1 };

// The kind of hierarchy that contains an open file. nullopt: not a cgroup file, or an error.
[[nodiscard]] std::optional<Hierarchy> hierarchy_of(int fd);

struct CgroupFile {
  CgroupId cgroup = 0;
  std::string path;  // of the cgroup, relative to the root of the reader's cgroup namespace
  std::string name;  // "cgroup.procs"
};

// A snapshot of the mounts of cgroup hierarchies. Any thread may call the const functions.
// has_new_mount() is for one thread.
class CgroupMounts {
 public:
  // The mounts of this process's mount namespace. Errors: of open(2), mount_table().
  static Result<CgroupMounts> read();

  // Whether a hierarchy has been mounted at a new place since the snapshot. Once true, it stays
  // true. True also when mountinfo cannot be read.
  [[nodiscard]] bool has_new_mount();

  // All mount points, of both versions. Borrowed from this object.
  [[nodiscard]] const std::vector<std::string>& points() const { return points_; }
  // The mount point that shows the root of the unified hierarchy; "": none.
  [[nodiscard]] const std::string& unified() const { return unified_; }
  // The device of the unified hierarchy. Empty: the snapshot has no mount of it.
  [[nodiscard]] std::optional<dev_t> unified_device() const { return unified_device_; }
  // The file of the unified hierarchy that `fd` refers to. Errors: ESTALE, no mount of the snapshot
  // shows it; of readlink(2).
  [[nodiscard]] Result<CgroupFile> file(int fd) const;
  // The id of a cgroup; `path` is relative to the root of the unified hierarchy. Errors: of
  // stat(2).
  [[nodiscard]] Result<CgroupId> id(const std::string& path) const;

 private:
  struct Unified {
    std::string root;
    std::string point;
  };
  std::vector<std::string> points_;
  std::vector<Unified> parts_;
  std::string unified_;
  std::optional<dev_t> unified_device_;  // all mounts of it have one
  Fd changes_;  // mountinfo; poll(2) reports changes of the mounts (POLLPRI)
  bool grown_ = false;
};

// openat2(2) with O_PATH | O_CLOEXEC | `flags`, and RESOLVE_* in `resolve`. Errors: of openat2(2).
[[nodiscard]] Result<Fd> find_file(int base_fd, const std::string& path, int flags,
                                   std::uint64_t resolve);

// Opens the file of `fd` again, with these flags and the rights of this process. Errors: of
// open(2).
[[nodiscard]] Result<Fd> reopen(int fd, int flags);

// Descriptors of this process that are open for writing on a cgroup file: "5: /sys/fs/cgroup/…".
// Errors: of open_files().
[[nodiscard]] Result<std::vector<std::string>> writable_cgroup_files();

// Pure. The task number in a text written to cgroup.procs, parsed as in the kernel:
// cgroup_procs_write_start() strips white space, then kstrtoint() with base 0 parses. 0 means the
// writer itself. nullopt: the kernel returns EINVAL.
[[nodiscard]] std::optional<pid_t> parse_task_number(std::string_view text);

// Descriptors, without close-on-exec, of directories and cgroup files on a mount that is not in
// this process's mount table, and also the working directory if it is on such a mount. A program
// that this process executes inherits them, and could reach a cgroup hierarchy through them at an
// unknown place. Texts: "9: /path", "working directory". Errors: of open_files(), mount_table(),
// mount_id().
[[nodiscard]] Result<std::vector<std::string>> files_beyond_mounts();

// Writes `number` to a cgroup.procs or cgroup.threads file, which moves that task. Opens the file
// again for writing. Errors: of reopen(), write(2).
Result<void> move_task(int file_fd, pid_t number);

// The numbers in a cgroup.procs or cgroup.threads file, as this process sees them. Opens the file again.
// Errors: of reopen(), read(2); EPROTO, there is something else in it.
[[nodiscard]] Result<std::vector<pid_t>> tasks_in(int file_fd);

}  // namespace holdfast::kernel

#endif  // HOLDFAST_KERNEL_CGROUP_CGROUP_FILES_H
