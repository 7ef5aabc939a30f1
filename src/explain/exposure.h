// SPDX-License-Identifier: Apache-2.0
// How much of a unit no rule restricts: a score with reasons, in the manner of `systemd-analyze
// security`.
#ifndef HOLDFAST_EXPLAIN_EXPOSURE_H
#define HOLDFAST_EXPLAIN_EXPOSURE_H

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "policy/compiled.h"
#include "policy/model.h"

namespace holdfast::policy {

// What is known of the processes of a unit that runs.
struct UnitState {
  std::size_t processes = 0;
  bool has_root = false;    // a process has the effective user id 0
  bool has_admin = false;   // a process has CAP_SYS_ADMIN
  bool unfiltered = false;  // a process has no seccomp filter
  bool delegated = false;   // a cgroup at or below its own has trusted.delegate=1
};

// One check. Its part of the exposure is weight * open / the sum of all weights.
struct Finding {
  std::string_view id;  // "namespaces.enter", "capabilities"
  double weight = 0;
  double open = 0;  // 0: closed, to 1: open
  std::string why;  // "nothing restricts which namespaces it enters"
};

struct Exposure {
  std::string profile;  // empty: none
  double score = 0;     // 0: everything is closed, to 10
  std::vector<Finding> findings;
};

// The exposure of the tasks in a cgroup. `state` is empty for a unit that does not run. `model` and
// `policy` are of the same text. What a profile in audit forbids counts as open.
[[nodiscard]] Exposure exposure_of(const Model& model, const Compiled& policy,
                                   std::string_view cgroup, const std::optional<UnitState>& state);

// "safe", "ok", "medium", "exposed", "unsafe"
[[nodiscard]] std::string_view word_for_exposure(double score);

}  // namespace holdfast::policy

#endif  // HOLDFAST_EXPLAIN_EXPOSURE_H
