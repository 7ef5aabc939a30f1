// SPDX-License-Identifier: Apache-2.0
// The command that `holdfast doctor` runs under a policy. It tries what the policy forbids.
#ifndef HOLDFAST_CLI_SELF_TEST_H
#define HOLDFAST_CLI_SELF_TEST_H

#include <string_view>

namespace holdfast::cli {

// The only argument of the process when it has to run the self-test. Not for users.
inline constexpr std::string_view kSelfTestArgument = "--doctor-self-test";

// Tries to make a namespace and to enter one. Returns 0 if both fail with EPERM, else 1.
int self_test();

}  // namespace holdfast::cli

#endif  // HOLDFAST_CLI_SELF_TEST_H
