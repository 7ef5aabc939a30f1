// SPDX-License-Identifier: Apache-2.0
#include "daemon/tasks.h"

#include <algorithm>
#include <filesystem>
#include <sstream>
#include <system_error>

#include "kernel/files/text_file.h"
#include "policy/cgroup_path.h"

namespace holdfast::daemon {

namespace {

namespace fs = std::filesystem;

void add_tasks(const std::string& directory, const std::string& cgroup, std::uint16_t profile,
               std::vector<HeldTask>& to) {
  const auto pids = kernel::read_text_file(directory + "/cgroup.procs");
  if (!pids) return;
  std::istringstream lines(*pids);
  for (int pid = 0; lines >> pid;) {
    auto comm = kernel::read_text_file("/proc/" + std::to_string(pid) + "/comm");
    if (!comm) continue;
    if (comm->ends_with('\n')) comm->pop_back();
    to.push_back({pid, *std::move(comm), cgroup, profile});
  }
}

}  // namespace

std::vector<HeldTask> held_tasks(const std::string& cgroup_root, const policy::Compiled& policy) {
  std::vector<std::string> directories = {cgroup_root};
  std::error_code failed;
  for (fs::recursive_directory_iterator at(cgroup_root, failed);
       !failed && at != fs::recursive_directory_iterator(); at.increment(failed)) {
    std::error_code gone;
    if (at->is_directory(gone)) directories.push_back(at->path().string());
  }
  std::sort(directories.begin(), directories.end());
  std::vector<HeldTask> tasks;
  for (const std::string& directory : directories) {
    const std::string cgroup =
        directory.size() == cgroup_root.size() ? "/" : directory.substr(cgroup_root.size());
    const auto profiles = policy::profiles_of_cgroup(policy, cgroup);
    if (!profiles.empty()) add_tasks(directory, cgroup, profiles.front(), tasks);
  }
  return tasks;
}

}  // namespace holdfast::daemon
