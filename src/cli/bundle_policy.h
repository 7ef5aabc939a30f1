// SPDX-License-Identifier: Apache-2.0
// The policy that a machine would have after a bundle.
#ifndef HOLDFAST_CLI_BUNDLE_POLICY_H
#define HOLDFAST_CLI_BUNDLE_POLICY_H

#include <string>
#include <vector>

#include "policy/load.h"

namespace holdfast::cli {

// Verifies the bundle, and returns the files of the machine's policy as it would leave them. `trust`,
// `dirs` and `state_dir` are those of BundleOptions. Changes nothing. Empty: it is refused, or a file
// cannot be read, which was printed.
[[nodiscard]] std::vector<policy::Source> sources_after(const std::string& file,
                                                        const std::vector<std::string>& trust,
                                                        const std::vector<std::string>& dirs,
                                                        const std::string& state_dir);

}  // namespace holdfast::cli

#endif  // HOLDFAST_CLI_BUNDLE_POLICY_H
