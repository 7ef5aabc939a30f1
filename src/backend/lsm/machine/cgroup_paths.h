// SPDX-License-Identifier: Apache-2.0
// The bindings of a policy as the trie that the programs walk (core/paths.h).
#ifndef HOLDFAST_BACKEND_LSM_MACHINE_CGROUP_PATHS_H
#define HOLDFAST_BACKEND_LSM_MACHINE_CGROUP_PATHS_H

#include <cstdint>
#include <string_view>
#include <vector>

#include "backend/machine.h"
#include "base/result.h"
#include "core/paths.h"

namespace holdfast::backend::lsm {

// Entries of the two maps of one generation.
struct CgroupPaths {
  struct Name {
    hf_path_key key;
    hf_path_edge value;
  };
  struct Glob {
    hf_glob_key key;
    hf_glob value;
  };
  std::vector<Name> names;
  std::vector<Glob> globs;
};

// Errors (EINVAL, E2BIG): a path without '/' in front, with "." or "..", a component longer than
// 255 bytes, more patterns below one directory than HF_PATH_GLOBS, two profiles bound to one path.
[[nodiscard]] Result<CgroupPaths> build_cgroup_paths(const std::vector<CgroupBinding>& bindings,
                                                     std::uint64_t generation);

}  // namespace holdfast::backend::lsm

#endif  // HOLDFAST_BACKEND_LSM_MACHINE_CGROUP_PATHS_H
