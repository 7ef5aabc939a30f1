// SPDX-License-Identifier: Apache-2.0
// The workload that `holdfast doctor` runs: it tries what its policy forbids.
#ifndef HOLDFAST_CLI_CANARY_H
#define HOLDFAST_CLI_CANARY_H

#include <string_view>

namespace holdfast::cli {

// The only argument of the process when it is the canary; not a command for people.
inline constexpr std::string_view kCanaryArgument = "--doctor-canary";

// Makes a namespace, and enters one. Returns 0 when both were refused with EPERM, else 1.
int canary();

}  // namespace holdfast::cli

#endif  // HOLDFAST_CLI_CANARY_H
