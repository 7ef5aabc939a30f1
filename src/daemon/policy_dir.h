// SPDX-License-Identifier: Apache-2.0
// Reads the policy of a machine, which consists of all files of some directories.
#ifndef HOLDFAST_DAEMON_POLICY_DIR_H
#define HOLDFAST_DAEMON_POLICY_DIR_H

#include <memory>
#include <string>
#include <vector>

#include "base/result.h"
#include "policy/load.h"

namespace holdfast::daemon {

// Is a directory that does not exist an error, or the same as an empty one?
enum class Missing { is_empty, is_error };

struct PolicyDirs {
  std::vector<std::string> paths;  // a file hides those of the same name in directories before it
  Missing missing = Missing::is_empty;
};

// The paths of the *.toml files in effect, sorted by name. Errors: those of reading a directory.
[[nodiscard]] Result<std::vector<std::string>> policy_files(const PolicyDirs& dirs);

// A compiled policy and its text.
struct LoadedPolicy {
  std::vector<policy::Source> sources;
  std::shared_ptr<const policy::Compiled> compiled;
};

// Compiles the text. Errors: code 0 the text has errors, with all diagnostics in `detail`.
[[nodiscard]] Result<LoadedPolicy> compile_sources(std::vector<policy::Source> sources);

// Reads the files in effect. Errors: those of reading.
[[nodiscard]] Result<std::vector<policy::Source>> read_policy(const PolicyDirs& dirs);

// read_policy(), then compile_sources().
[[nodiscard]] Result<LoadedPolicy> load_policy(const PolicyDirs& dirs);

}  // namespace holdfast::daemon

#endif  // HOLDFAST_DAEMON_POLICY_DIR_H
