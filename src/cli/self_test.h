// SPDX-License-Identifier: Apache-2.0
// The workload that `holdfast doctor` runs: it tries what its policy forbids.
#ifndef HOLDFAST_CLI_SELF_TEST_H
#define HOLDFAST_CLI_SELF_TEST_H

#include <string_view>

namespace holdfast::cli {

// The only argument of the process when it is the self-test; not a command for people.
inline constexpr std::string_view kSelfTestArgument = "--doctor-self-test";

// Makes a namespace, and enters one. Returns 0 when both were refused with EPERM, else 1.
int self_test();

}  // namespace holdfast::cli

#endif  // HOLDFAST_CLI_SELF_TEST_H
