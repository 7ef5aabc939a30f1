// SPDX-License-Identifier: Apache-2.0
// The marks of a policy in the maps of the machine-wide programs (bpf/machine/mark.bpf.h), and what was
// marked before.
#ifndef HOLDFAST_BACKEND_LSM_MACHINE_MARKS_H
#define HOLDFAST_BACKEND_LSM_MACHINE_MARKS_H

#include <cstdint>
#include <functional>
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

// Hears one sentence for the administrator.
using Warn = std::function<void(const std::string& text)>;

// Which of the cgroups that were found is taken. Empty: it is; else why not.
using Doubt = std::function<std::string(const std::string& directory)>;

// Why a cgroup that has had a "user.*" attribute since before a policy knew it may have it from
// another user than root: who may write to its directory can set it. Empty: it is, like all above
// it up to `root`, root's, not for others to write, and not delegated ("trusted.delegate",
// "user.delegate", of systemd). What it gives up is a sentence.
[[nodiscard]] std::string doubt_about_cgroup(const std::string& root, const std::string& directory);

// Records in a map, by id, the cgroups below `root` that have the attribute now, of that value or,
// without one, of any. An entry that is there already is newer than what is read here, and stays.
// Errors: what reading the hierarchy gave.
[[nodiscard]] Result<void> record_cgroups(int map_fd, const void* entry, const std::string& root,
                                          const std::string& attribute,
                                          std::optional<std::string_view> value = std::nullopt,
                                          const Doubt& doubt = {});

// As entries of one generation. Errors: E2BIG more than HF_MARKS_MAX.
[[nodiscard]] Result<std::vector<MarkEntry>> mark_entries(const std::vector<MarkBinding>& marks,
                                                          std::uint64_t generation);

[[nodiscard]] Result<void> insert(const MarkMaps& maps, const std::vector<MarkEntry>& marks);

// Records the cgroups that have one of these marks, but for those that doubt_about_cgroup() speaks
// against, where the mark is "user.*": `warn` hears of them. Errors: as record_cgroups().
[[nodiscard]] Result<void> record_marked_cgroups(int map_fd, const std::string& cgroup_root,
                                                 const std::vector<MarkEntry>& marks,
                                                 const Warn& warn);

// Records the cgroups and the executables (of /usr and /opt, each on its own file system) that have
// a mark of the live policy. Marks made from then on are seen as they are made. Takes as long as
// reading those directories. What another user than root could have marked, or changed since, is
// not recorded, and `warn` hears of it: cgroups by doubt_about_cgroup() where the mark is "user.*",
// executables that are not root's or that others may write to.
// Errors: what reading the hierarchy of cgroups gave.
[[nodiscard]] Result<void> learn_marks(const MarkMaps& maps, const std::string& cgroup_root,
                                       const std::vector<MarkEntry>& marks, const Warn& warn);

}  // namespace holdfast::backend::lsm

#endif  // HOLDFAST_BACKEND_LSM_MACHINE_MARKS_H
