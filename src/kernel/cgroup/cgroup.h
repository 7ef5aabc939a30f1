// SPDX-License-Identifier: Apache-2.0
// The unified cgroup hierarchy: cgroups(7), kernel/cgroup/cgroup.c.
#ifndef HOLDFAST_KERNEL_CGROUP_CGROUP_H
#define HOLDFAST_KERNEL_CGROUP_CGROUP_H

#include <sys/types.h>

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/fd.h"
#include "base/result.h"

namespace holdfast::kernel {

// The id of a cgroup, never reused in one boot (struct kernfs_node::id).
using CgroupId = std::uint64_t;

// Opens the mount point of the whole hierarchy, as an O_PATH descriptor. Errors: EINVAL, not cgroup
// v2; EXDEV, only a part of the hierarchy is mounted there (a cgroup namespace or a bind mount); of
// open(2), fstatfs(2), fstat(2).
[[nodiscard]] Result<Fd> open_cgroup_root(const std::string& mount_point);

// Errors: of stat(2).
[[nodiscard]] Result<CgroupId> cgroup_id(const std::string& directory);

// The path of a cgroup relative to `root_fd`; "/" for the root itself. For a cgroup that is removed
// during the call, its last path. Needs CAP_DAC_READ_SEARCH. Errors: ESTALE, the cgroup does not
// exist; of open_by_handle_at(2), readlink(2).
[[nodiscard]] Result<std::string> cgroup_path(int root_fd, CgroupId id);

// The cgroups at and below `directory` that now have the extended attribute `name` with this value,
// or with any value if `value` is empty. A value of more than 256 bytes matches no `value`. Skips
// cgroups that are removed during the call. Errors: of opendir(3).
[[nodiscard]] Result<std::vector<std::string>> cgroups_with_attribute(
    const std::string& directory, const std::string& name,
    std::optional<std::string_view> value = std::nullopt);

// Mode 0755, minus the umask. Errors: of mkdir(2).
[[nodiscard]] Result<void> make_cgroup(const std::string& directory);
// Errors: of rmdir(2), such as EBUSY.
[[nodiscard]] Result<void> remove_cgroup(const std::string& directory);

// Moves a process by a write to the directory's cgroup.procs. Errors: of open(2), write(2).
[[nodiscard]] Result<void> move_process(const std::string& directory, pid_t pid);

// A child process that only waits. The destructor kills and reaps it. The caller of fork() and
// fork_into() must have one thread.
class IdleChild {
 public:
  // Errors: of fork(2).
  [[nodiscard]] static Result<IdleChild> fork();
  // The child starts in this cgroup: clone3(CLONE_INTO_CGROUP). Errors: of open(2), clone3(2).
  [[nodiscard]] static Result<IdleChild> fork_into(const std::string& directory);
  IdleChild(IdleChild&& other) noexcept;
  IdleChild& operator=(IdleChild&&) = delete;
  IdleChild(const IdleChild&) = delete;
  IdleChild& operator=(const IdleChild&) = delete;
  ~IdleChild();
  [[nodiscard]] pid_t pid() const { return pid_; }

 private:
  explicit IdleChild(pid_t pid) : pid_(pid) {}
  pid_t pid_;
};

}  // namespace holdfast::kernel

#endif  // HOLDFAST_KERNEL_CGROUP_CGROUP_H
