// SPDX-License-Identifier: Apache-2.0
// The slots in which the machine-wide programs count decisions (core/profile_counters.h).
#ifndef HOLDFAST_BACKEND_LSM_MACHINE_PROFILE_COUNTERS_H
#define HOLDFAST_BACKEND_LSM_MACHINE_PROFILE_COUNTERS_H

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "backend/machine_stats.h"
#include "base/result.h"
#include "kernel/bpf/bpf_pin.h"

namespace holdfast::backend::lsm {

// One thread.
class ProfileCounterSlots {
 public:
  // The maps profile_counters and profile_slots, borrowed; with the names that have slots already.
  void use(int counters_fd, int slots_fd);

  // Before a policy is live: where to count for its profiles, by their numbers. A name that finds
  // no free slot is counted with all such. Errors: of bpf(2).
  [[nodiscard]] Result<void> insert(std::uint64_t generation,
                                    const std::vector<std::string>& profiles);

  // Counts a decision of user space by a rule of this profile; "": of none. `kind`: HF_COUNTERS_*.
  void count(const std::string& profile, std::uint16_t hook, std::uint32_t kind);

  [[nodiscard]] std::vector<DecisionCount> counts() const;

 private:
  [[nodiscard]] Result<std::uint32_t> slot_of(const std::string& profile);
  int counters_fd_ = -1;
  int slots_fd_ = -1;
  std::map<std::string, std::uint32_t, std::less<>> slots_;
  std::optional<kernel::MappedValue> mapped_;  // the stats, once user space has counted
};

}  // namespace holdfast::backend::lsm

#endif  // HOLDFAST_BACKEND_LSM_MACHINE_PROFILE_COUNTERS_H
