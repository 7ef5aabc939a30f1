// SPDX-License-Identifier: Apache-2.0
// Seals and unseals the machine. Sealing prints a token, and only the token allows to unseal.
#ifndef HOLDFAST_DAEMON_SEAL_H
#define HOLDFAST_DAEMON_SEAL_H

#include <string>

#include "base/result.h"
#include "daemon/options.h"

namespace holdfast::daemon {

// The functions below print errors and return an exit code.
//
// Seals the pinned enforcement and prints the token on standard output. The token is not stored.
[[nodiscard]] int seal(const Options& options);
// Reads the token from standard input and unseals. kExitFailed: the token is wrong.
[[nodiscard]] int unseal(const Options& options);

// 0: sealed. 1: not sealed. kExitUnknown: it could not be found out.
[[nodiscard]] int is_sealed(const Options& options);

// Did the administrator start the kernel with holdfast=off?
[[nodiscard]] bool switched_off_at_boot();

}  // namespace holdfast::daemon

#endif  // HOLDFAST_DAEMON_SEAL_H
