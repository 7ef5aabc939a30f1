// SPDX-License-Identifier: Apache-2.0
// Finds policies by name, and the policy of this machine.
#ifndef HOLDFAST_CLI_FIND_POLICY_H
#define HOLDFAST_CLI_FIND_POLICY_H

#include <string>
#include <vector>

#include "base/result.h"
#include "policy/load.h"
#include "policy_dirs/policy_dirs.h"

namespace holdfast::cli {

// The directories in which a policy NAME.toml is looked for, in order: profiles/ in the user's
// holdfast configuration ($XDG_CONFIG_HOME, ~/.config), /etc/holdfast/profiles and the profiles that
// are shipped.
[[nodiscard]] std::vector<std::string> profile_directories();

// The names of the policies in these directories, each once, sorted.
[[nodiscard]] std::vector<std::string> known_policy_names();

// The path of a policy that a command line names. A name with '/' or at the end ".toml" is a path,
// as is one of an existing file where no policy has that name. Errors: ENOENT there is no such
// policy, with the searched directories or a similar name in the detail.
[[nodiscard]] Result<std::string> find_policy(const std::string& name);

// The sources of the policy directories. Errors: those of reading the directories; EINVAL a file is
// refused, with the reason in the detail.
[[nodiscard]] Result<std::vector<policy::Source>> machine_sources(
    const policy_dirs::PolicyDirs& dirs);

// Empty `paths`: the usual directories.
[[nodiscard]] policy_dirs::PolicyDirs policy_dirs_of(const std::vector<std::string>& paths);

}  // namespace holdfast::cli

#endif  // HOLDFAST_CLI_FIND_POLICY_H
