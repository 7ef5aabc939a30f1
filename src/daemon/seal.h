// SPDX-License-Identifier: Apache-2.0
// Break glass: a sealed machine can be changed by whoever has the token that sealing it gave.
#ifndef HOLDFAST_DAEMON_SEAL_H
#define HOLDFAST_DAEMON_SEAL_H

#include <string>

#include "base/result.h"
#include "daemon/options.h"

namespace holdfast::daemon {

// Seals what is in force and prints the token on standard output, for the only time. An exit code.
[[nodiscard]] int seal(const Options& options);
// Reads the token from standard input. An exit code: 1 when it is wrong.
[[nodiscard]] int unseal(const Options& options);

// An exit code: 0 it is sealed, 1 it is not, kExitUnknown.
[[nodiscard]] int is_sealed(const Options& options);

// Did the administrator start the kernel with holdfast=off?
[[nodiscard]] bool switched_off_at_boot();

}  // namespace holdfast::daemon

#endif  // HOLDFAST_DAEMON_SEAL_H
