// SPDX-License-Identifier: Apache-2.0
// Lists the processes in cgroups that a policy binds.
#ifndef HOLDFAST_DAEMON_TASKS_H
#define HOLDFAST_DAEMON_TASKS_H

#include <cstdint>
#include <string>
#include <vector>

#include "policy/compiled.h"

namespace holdfast::daemon {

struct HeldTask {
  int pid = 0;
  std::string comm;
  std::string cgroup;
  std::uint16_t profile = 0;  // of the deepest binding that contains the cgroup
};

// Sorted by cgroup. Processes that end during the call may be missing.
[[nodiscard]] std::vector<HeldTask> held_tasks(const std::string& cgroup_root,
                                               const policy::Compiled& policy);

}  // namespace holdfast::daemon

#endif  // HOLDFAST_DAEMON_TASKS_H
