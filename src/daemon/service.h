// SPDX-License-Identifier: Apache-2.0
// holdfastd as it runs: one policy in force, until a signal says otherwise.
#ifndef HOLDFAST_DAEMON_SERVICE_H
#define HOLDFAST_DAEMON_SERVICE_H

#include "daemon/options.h"

namespace holdfast::daemon {

// Validates the policy and says what would not be held. An exit code.
[[nodiscard]] int check(const Options& options);

// Adopts or attaches, then serves until SIGTERM or SIGINT; SIGHUP and changes of the files load the
// policy anew. Enforcement goes on unless it is transient. An exit code.
[[nodiscard]] int serve(const Options& options);

// Ends the enforcement that a holdfastd left behind. An exit code.
[[nodiscard]] int stop_enforcing(const Options& options);

}  // namespace holdfast::daemon

#endif  // HOLDFAST_DAEMON_SERVICE_H
