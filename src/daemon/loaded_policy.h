// SPDX-License-Identifier: Apache-2.0
// Compiles the policy of a machine, and names what holdfastd would not enforce of it.
#ifndef HOLDFAST_DAEMON_LOADED_POLICY_H
#define HOLDFAST_DAEMON_LOADED_POLICY_H

#include <memory>
#include <string>
#include <vector>

#include "base/result.h"
#include "policy/load.h"
#include "policy_dirs/usable.h"

namespace holdfast::daemon {

// Is a policy refused if some of its rules cannot be enforced for the whole machine?
enum class Unenforced { refuse, allow };

// A compiled policy and its text.
struct LoadedPolicy {
  std::vector<policy::Source> sources;
  std::shared_ptr<const policy::Compiled> compiled;
};

// Compiles the text. Errors: code 0 the text has errors, with all diagnostics in `detail`.
[[nodiscard]] Result<LoadedPolicy> compile_sources(std::vector<policy::Source> sources);

// The mistakes of a policy for holdfastd: those of the language, and with Unenforced::refuse the
// rules that would not be enforced.
struct CheckedPolicy {
  policy_dirs::Checked checked;
  std::shared_ptr<const policy::Compiled> compiled;  // null: the language has mistakes
  std::vector<policy::Diagnostic> unenforced;        // with Unenforced::allow
};
[[nodiscard]] CheckedPolicy check_sources(const std::vector<policy::Source>& sources,
                                          Unenforced unenforced);

// The files of directories as a policy, and their mistakes, also files that are refused.
struct CheckedFiles {
  std::vector<policy_dirs::PolicyUnit> units;
  std::vector<policy::Source> sources;
  std::shared_ptr<const policy::Compiled> compiled;  // null: there are mistakes
  std::vector<policy::Diagnostic> mistakes;
  std::vector<policy::Diagnostic> unenforced;  // as in CheckedPolicy
};
// Errors: those of reading the directories.
[[nodiscard]] Result<CheckedFiles> check_files(const policy_dirs::PolicyDirs& dirs,
                                               Unenforced unenforced,
                                               const policy_dirs::Plan& plan = {});

// The diagnostics as text, with a last line about rules that are not enforced.
[[nodiscard]] std::string mistakes_text(const std::vector<policy::Diagnostic>& mistakes);

}  // namespace holdfast::daemon

#endif  // HOLDFAST_DAEMON_LOADED_POLICY_H
