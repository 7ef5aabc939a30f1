// SPDX-License-Identifier: Apache-2.0
#include "daemon/move_path_cache.h"

#include <utility>

#include "kernel/cgroup/cgroup.h"

namespace holdfast::daemon {

namespace {
constexpr std::size_t kMaxPaths = 4096;
}  // namespace

std::string MovePathCache::path_of(std::uint64_t cgroup) {
  if (!cgroup_root_) return {};
  if (const auto known = paths_.find(cgroup); known != paths_.end()) return known->second;
  auto path = kernel::cgroup_path(cgroup_root_.get(), cgroup);
  if (!path) return {};
  if (paths_.size() >= kMaxPaths) paths_.clear();
  return paths_.emplace(cgroup, *std::move(path)).first->second;
}

policy::EventPaths MovePathCache::of(const hf_event& event) {
  if (event.request.op != HF_OP_CGROUP_ATTACH) return {};
  return {path_of(event.source), path_of(event.target)};
}

}  // namespace holdfast::daemon
