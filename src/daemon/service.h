// SPDX-License-Identifier: Apache-2.0
// The main functions of holdfastd. Each prints errors and returns an exit code.
#ifndef HOLDFAST_DAEMON_SERVICE_H
#define HOLDFAST_DAEMON_SERVICE_H

#include "daemon/options.h"

namespace holdfast::daemon {

// Validates the policy and prints the rules that would not be enforced.
[[nodiscard]] int check(const Options& options);

// Adopts or attaches enforcement, then serves until SIGTERM or SIGINT. SIGHUP, and a change of the
// files, load the policy again. Enforcement continues afterwards unless it is transient.
[[nodiscard]] int serve(const Options& options);

// Sets the options for a holdfastd that holds runs alone.
void use_for_runs(Options& options);

// Ends the enforcement that an earlier holdfastd left in force.
[[nodiscard]] int stop_enforcing(const Options& options);

}  // namespace holdfast::daemon

#endif  // HOLDFAST_DAEMON_SERVICE_H
