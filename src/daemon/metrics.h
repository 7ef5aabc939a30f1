// SPDX-License-Identifier: Apache-2.0
// Renders metrics in the text exposition format 0.0.4 of Prometheus.
#ifndef HOLDFAST_DAEMON_METRICS_H
#define HOLDFAST_DAEMON_METRICS_H

#include <cstdint>
#include <string>

#include "backend/machine_stats.h"
#include "daemon/enforcement.h"

namespace holdfast::daemon {

// The bundle that is applied to the machine.
struct BundleState {
  std::string name;    // empty: none is
  std::string newest;  // the latest name that was applied
  std::string key;
  std::uint64_t changed_files = 0;  // files that are not as the bundle has them
  bool is_unfinished = false;       // an application was begun and has not ended
  bool is_damaged = false;          // the record cannot be read; the rest is then empty
};
// Reads the record and the files. `directory` is the last policy directory.
[[nodiscard]] BundleState bundle_state(const std::string& state_dir, const std::string& directory);

// The facts that the BPF programs do not count.
struct DaemonState {
  std::uint64_t generation = 0;
  std::uint64_t profiles = 0;
  std::uint64_t bad_files = 0;
  bool sealed = false;
  bool adopted = false;
  backend::Totals totals;
  bool is_pending = false;         // the live policy waits to be confirmed
  std::string policy_digest = {};  // of the live policy, as in events
  std::string policy_name = {};    // of the bundle that it was made of; empty: it is of none
  BundleState bundle = {};
};

// Each family has one line HELP and one line TYPE. Values of labels are escaped. docs/daemon.md
// lists the families.
[[nodiscard]] std::string exposition(const DaemonState& state, const backend::MachineStats& stats);

}  // namespace holdfast::daemon

#endif  // HOLDFAST_DAEMON_METRICS_H
