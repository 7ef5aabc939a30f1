// SPDX-License-Identifier: Apache-2.0
// The holdfastd that holds runs where no other holdfastd does. The first run of root starts it, later
// ones use it, and it ends some seconds after the last. What it holds stays held without it.
#ifndef HOLDFAST_RUN_RUNS_DAEMON_H
#define HOLDFAST_RUN_RUNS_DAEMON_H

#include "base/result.h"

namespace holdfast::run {

// Returns when it answers at rpc::kRunsSocket, which takes seconds if it has to be started. Errors:
// ENOENT, holdfastd is not installed beside this program; ETIMEDOUT; what holdfastd said before it
// ended.
[[nodiscard]] Result<void> start_runs_daemon();

}  // namespace holdfast::run

#endif  // HOLDFAST_RUN_RUNS_DAEMON_H
