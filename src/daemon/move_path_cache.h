// SPDX-License-Identifier: Apache-2.0
// The paths of the cgroups that the event of a move names by their ids.
#ifndef HOLDFAST_DAEMON_MOVE_PATH_CACHE_H
#define HOLDFAST_DAEMON_MOVE_PATH_CACHE_H

#include <cstdint>
#include <string>
#include <unordered_map>

#include "base/fd.h"
#include "events/event_text.h"

namespace holdfast::daemon {

// One thread.
class MovePathCache {
 public:
  // The root directory of the unified hierarchy; invalid: no path is found.
  explicit MovePathCache(Fd cgroup_root) : cgroup_root_(std::move(cgroup_root)) {}

  // Empty paths: the event is not of a move, or the cgroup was removed before the first look-up.
  [[nodiscard]] policy::EventPaths of(const hf_event& event);

 private:
  [[nodiscard]] std::string path_of(std::uint64_t cgroup);

  Fd cgroup_root_;
  // By id. A cgroup is never renamed and ids are not reused, so the paths stay valid. A look-up takes
  // several system calls.
  std::unordered_map<std::uint64_t, std::string> paths_;
};

}  // namespace holdfast::daemon

#endif  // HOLDFAST_DAEMON_MOVE_PATH_CACHE_H
