// SPDX-License-Identifier: Apache-2.0
// The policy of a machine: all files of a few directories together.
#ifndef HOLDFAST_DAEMON_POLICY_DIR_H
#define HOLDFAST_DAEMON_POLICY_DIR_H

#include <memory>
#include <string>
#include <vector>

#include "base/result.h"
#include "policy/load.h"

namespace holdfast::daemon {

// Whether a directory that is not there is a mistake or simply holds no files.
enum class Missing { is_empty, is_error };

struct PolicyDirs {
  std::vector<std::string> paths;  // a file hides those of the same name in directories before it
  Missing missing = Missing::is_empty;
};

// The *.toml files in effect, in order of their names. Errors: what reading a directory gave.
[[nodiscard]] Result<std::vector<std::string>> policy_files(const PolicyDirs& dirs);

// A policy and the text it was made of.
struct LoadedPolicy {
  std::vector<policy::Source> sources;
  std::shared_ptr<const policy::Compiled> compiled;
};

// Compiles. Errors: code 0 with all diagnostics, rendered, in `detail`.
[[nodiscard]] Result<LoadedPolicy> compile_sources(std::vector<policy::Source> sources);

// The text of the files in effect. Errors: what reading gave.
[[nodiscard]] Result<std::vector<policy::Source>> read_policy(const PolicyDirs& dirs);

// Reads and compiles them. Errors: what reading gave; as compile_sources().
[[nodiscard]] Result<LoadedPolicy> load_policy(const PolicyDirs& dirs);

}  // namespace holdfast::daemon

#endif  // HOLDFAST_DAEMON_POLICY_DIR_H
