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

// Number of a cgroup, never used twice in one boot (struct kernfs_node::id).
using CgroupId = std::uint64_t;

// The mount point of the whole hierarchy, an O_PATH descriptor. Errors: what open(2) says; EINVAL:
// not cgroup v2; EXDEV: only a part of the hierarchy is visible there (a cgroup namespace or a bind
// mount).
[[nodiscard]] Result<Fd> open_cgroup_root(const std::string& mount_point);

[[nodiscard]] Result<CgroupId> cgroup_id(const std::string& directory);

// The path of a cgroup below `root_fd`, "/" for the root itself; the last one of a cgroup that is
// removed meanwhile. ESTALE: it is gone. Needs CAP_DAC_READ_SEARCH.
[[nodiscard]] Result<std::string> cgroup_path(int root_fd, CgroupId id);

// The cgroups below `directory`, itself included, that have the extended attribute `name` now, of
// that value or, without one, of any. A cgroup that goes away meanwhile is passed over. Errors:
// what reading the hierarchy gave.
[[nodiscard]] Result<std::vector<std::string>> cgroups_with_attribute(
    const std::string& directory, const std::string& name,
    std::optional<std::string_view> value = std::nullopt);

[[nodiscard]] Result<void> make_cgroup(const std::string& directory);
[[nodiscard]] Result<void> remove_cgroup(const std::string& directory);

// Writes a process to the directory's cgroup.procs.
[[nodiscard]] Result<void> move_process(const std::string& directory, pid_t pid);

// A child that does nothing but wait to be ended. Ends it and waits for it when destroyed.
class IdleChild {
 public:
  [[nodiscard]] static Result<IdleChild> fork();
  // The child starts in this cgroup: clone3(CLONE_INTO_CGROUP).
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
