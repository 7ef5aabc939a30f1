// SPDX-License-Identifier: Apache-2.0
// Renders metrics in the text exposition format 0.0.4 of Prometheus.
#ifndef HOLDFAST_DAEMON_METRICS_H
#define HOLDFAST_DAEMON_METRICS_H

#include <cstdint>
#include <string>

#include "backend/machine_stats.h"
#include "daemon/enforcement.h"

namespace holdfast::daemon {

// The facts that the BPF programs do not count.
struct DaemonState {
  std::uint64_t generation = 0;
  std::uint64_t profiles = 0;
  std::uint64_t bad_files = 0;
  bool sealed = false;
  bool adopted = false;
  backend::Totals totals;
};

// Each family has one line HELP and one line TYPE. Values of labels are escaped. docs/daemon.md
// lists the families.
[[nodiscard]] std::string exposition(const DaemonState& state, const backend::MachineStats& stats);

}  // namespace holdfast::daemon

#endif  // HOLDFAST_DAEMON_METRICS_H
