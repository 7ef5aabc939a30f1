// SPDX-License-Identifier: Apache-2.0
// What Prometheus is told: the text exposition format, 0.0.4.
#ifndef HOLDFAST_DAEMON_METRICS_H
#define HOLDFAST_DAEMON_METRICS_H

#include <cstdint>
#include <string>

#include "backend/machine_stats.h"
#include "daemon/enforcement.h"

namespace holdfast::daemon {

// What is not the programs' to count.
struct DaemonState {
  std::uint64_t generation = 0;
  std::uint64_t profiles = 0;
  bool sealed = false;
  bool adopted = false;
  backend::Totals totals;
};

// One line of HELP and TYPE for each family, labels escaped. docs/daemon.md lists the families.
[[nodiscard]] std::string exposition(const DaemonState& state, const backend::MachineStats& stats);

}  // namespace holdfast::daemon

#endif  // HOLDFAST_DAEMON_METRICS_H
