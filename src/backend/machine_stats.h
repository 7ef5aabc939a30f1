// SPDX-License-Identifier: Apache-2.0
// What machine-wide enforcement counts about itself.
#ifndef HOLDFAST_BACKEND_MACHINE_STATS_H
#define HOLDFAST_BACKEND_MACHINE_STATS_H

#include <cstdint>
#include <string>
#include <vector>

#include "core/profile_counters.h"

namespace holdfast::backend {

// Decisions since the programs were attached.
struct DecisionCount {
  std::string profile;     // whose rule it was; empty: nobody's
  std::uint16_t op = 0;    // HF_OP_*
  std::uint32_t kind = 0;  // HF_COUNTERS_*
  std::uint64_t count = 0;
};

enum class UsageUnit { entries, bytes };
struct MapUsage {
  std::string name;
  UsageUnit unit = UsageUnit::entries;
  std::uint64_t used = 0;
  std::uint64_t most = 0;
};

struct ProgramStats {
  std::string program;
  std::uint64_t count = 0;
  std::uint64_t ns = 0;
};

struct MachineStats {
  std::vector<DecisionCount> decisions;  // those that are not 0
  std::vector<MapUsage> map_usage;
  std::vector<ProgramStats> runs;       // empty: the kernel does not count them
  std::vector<std::uint64_t> refusals;  // of attempts on the enforcement itself, by HF_GUARD_*
  std::uint64_t refusals_lost = 0;      // whose event did not fit
};

}  // namespace holdfast::backend

#endif  // HOLDFAST_BACKEND_MACHINE_STATS_H
