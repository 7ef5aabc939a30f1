// SPDX-License-Identifier: Apache-2.0
// The marks of a policy in the maps of the machine-wide programs (bpf/mark.bpf.h), and what was
// marked before.
#ifndef HOLDFAST_BACKEND_LSM_MARKS_H
#define HOLDFAST_BACKEND_LSM_MARKS_H

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "backend/machine.h"
#include "base/result.h"
#include "core/marks.h"

namespace holdfast::backend::lsm {

// Descriptors, borrowed.
struct MarkMaps {
  int names = -1;
  int ids = -1;
  int cgroups = -1;
  int learner = -1;
};

struct MarkEntry {
  hf_mark_key key;
  hf_mark mark;
};

// Records in a map, by id, the cgroups below `root` that have the attribute now, of that value or,
// without one, of any. An entry that is there already is newer than what is read here, and stays.
// Errors: what reading the hierarchy gave.
[[nodiscard]] Result<void> record_cgroups(int map_fd, const void* entry, const std::string& root,
                                          const std::string& attribute,
                                          std::optional<std::string_view> value = std::nullopt);

// As entries of one generation. Errors: E2BIG more than HF_MARKS_MAX.
[[nodiscard]] Result<std::vector<MarkEntry>> mark_entries(const std::vector<MarkBinding>& marks,
                                                          std::uint64_t generation);

[[nodiscard]] Result<void> insert(const MarkMaps& maps, const std::vector<MarkEntry>& marks);

// Records the cgroups that have one of these marks. Errors: as record_cgroups().
[[nodiscard]] Result<void> record_marked_cgroups(int map_fd, const std::string& cgroup_root,
                                                 const std::vector<MarkEntry>& marks);

// Records the cgroups and the executables (of /usr and /opt, each on its own file system) that have
// a mark of the live policy. Marks made from then on are seen as they are made. Takes as long as
// reading those directories. Errors: what reading the hierarchy of cgroups gave.
[[nodiscard]] Result<void> learn_marks(const MarkMaps& maps, const std::string& cgroup_root,
                                       const std::vector<MarkEntry>& marks);

}  // namespace holdfast::backend::lsm

#endif  // HOLDFAST_BACKEND_LSM_MARKS_H
