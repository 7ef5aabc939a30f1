// SPDX-License-Identifier: Apache-2.0
// Policy files named on a command line.
#ifndef HOLDFAST_CLI_LOAD_POLICY_H
#define HOLDFAST_CLI_LOAD_POLICY_H

#include <memory>
#include <string>
#include <vector>

#include "policy/compiled.h"
#include "policy/load.h"

namespace holdfast::cli {

// Reads the files; prints what cannot be read to standard error. Empty when one could not.
[[nodiscard]] std::vector<policy::Source> read_policy_files(const std::vector<std::string>& files);

// Reads and compiles them as one policy, no files as an empty one; prints every mistake to standard
// error. Null when there was one.
[[nodiscard]] std::unique_ptr<const policy::Compiled> load_policy(
    const std::vector<std::string>& files);

// The same, with the text.
struct LoadedFiles {
  std::vector<policy::Source> sources;
  std::unique_ptr<const policy::Compiled> policy;
};
[[nodiscard]] LoadedFiles load_files(const std::vector<std::string>& files);

}  // namespace holdfast::cli

#endif  // HOLDFAST_CLI_LOAD_POLICY_H
