// SPDX-License-Identifier: Apache-2.0
// The numbers that machine-wide enforcement counts about itself.
#ifndef HOLDFAST_BACKEND_MACHINE_STATS_H
#define HOLDFAST_BACKEND_MACHINE_STATS_H

#include <cstdint>
#include <string>
#include <vector>

#include "core/profile_counters.h"

namespace holdfast::backend {

// Decisions since the programs were attached.
struct DecisionCount {
  std::string profile;     // the profile whose rule decided; empty: no profile
  std::uint16_t op = 0;    // HF_OP_*
  std::uint32_t kind = 0;  // HF_COUNTERS_*
  std::uint64_t count = 0;
};

enum class UsageUnit { entries, bytes };
struct MapUsage {
  std::string name;
  UsageUnit unit = UsageUnit::entries;
  std::uint64_t used = 0;
  std::uint64_t most = 0;  // the capacity
};

struct ProgramStats {
  std::string program;
  std::uint64_t count = 0;  // runs
  std::uint64_t ns = 0;     // total time of all runs
};

struct MachineStats {
  std::vector<DecisionCount> decisions;  // without counts of 0
  std::vector<MapUsage> map_usage;
  std::vector<ProgramStats> runs;       // empty: the kernel did not count them
  std::vector<std::uint64_t> refusals;  // attacks on the enforcement itself, indexed by HF_GUARD_*
  std::uint64_t refusals_lost = 0;      // refusals whose event found no room
  std::uint64_t sessions = 0;           // that are open
  std::uint64_t session_tasks = 0;      // their members
  std::uint64_t sessions_opened = 0;    // since the programs were attached
};

}  // namespace holdfast::backend

#endif  // HOLDFAST_BACKEND_MACHINE_STATS_H
