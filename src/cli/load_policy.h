// SPDX-License-Identifier: Apache-2.0
// Reads the policy files that a command line names.
#ifndef HOLDFAST_CLI_LOAD_POLICY_H
#define HOLDFAST_CLI_LOAD_POLICY_H

#include <memory>
#include <string>
#include <vector>

#include "policy/compiled.h"
#include "policy/load.h"

namespace holdfast::cli {

// Reads the files, which may be names of policies (find_policy.h), and adds shared definitions: where
// they name a profile that none of them defines, the files of the policy directories `dirs` (empty:
// the usual ones) that define it. Prints errors to standard error. Empty: some file could not be read.
[[nodiscard]] std::vector<policy::Source> read_policy_files(
    const std::vector<std::string>& files, const std::vector<std::string>& dirs = {});

// Reads the files and compiles them as one policy; no files are an empty policy. Prints diagnostics
// to standard error. Null: there was an error.
[[nodiscard]] std::unique_ptr<const policy::Compiled> load_policy(
    const std::vector<std::string>& files);

// As load_policy(), and also returns the text.
struct LoadedFiles {
  std::vector<policy::Source> sources;
  std::unique_ptr<const policy::Compiled> policy;
};
[[nodiscard]] LoadedFiles load_files(const std::vector<std::string>& files);
// The same of sources that have been read.
[[nodiscard]] LoadedFiles load_sources(std::vector<policy::Source> sources);

}  // namespace holdfast::cli

#endif  // HOLDFAST_CLI_LOAD_POLICY_H
