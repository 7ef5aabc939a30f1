// SPDX-License-Identifier: Apache-2.0
// What can be enforced of policy files of which some are bad. For a start of the machine: nothing is
// in force yet, and one bad file must not leave the machine without the others.
//
// A bad unit is replaced by its text in an earlier policy. Where there is none, the bad file is left
// out, and a profile that another file names as a mover and that is missing then has no members. So
// what depends on a missing file is refused, not allowed.
#ifndef HOLDFAST_POLICY_DIRS_USABLE_H
#define HOLDFAST_POLICY_DIRS_USABLE_H

#include <functional>
#include <set>
#include <string>
#include <vector>

#include "policy_dirs/policy_dirs.h"

namespace holdfast::policy_dirs {

// A file whose present text is not in force.
//   not_live      the policy in force is that from before the mistake
//   earlier_text  it is replaced by its text in an earlier policy
//   left_out      nothing of it is in force
enum class Fate { not_live, earlier_text, left_out };
[[nodiscard]] std::string_view to_string(Fate fate);

struct BadFile {
  std::string path;
  Fate fate = Fate::not_live;
  std::string mistakes;  // rendered diagnostics
};

// What is wrong with sources: the mistakes of the language and those of the caller.
struct Checked {
  std::vector<policy::Diagnostic> diagnostics;
  std::set<std::string> undefined;  // profiles that are named and not defined
};
using Check = std::function<Checked(const std::vector<policy::Source>&)>;

struct Usable {
  std::vector<policy::Source> sources;  // empty: nothing can be used
  std::vector<BadFile> bad;             // empty: the sources are those of all units
  // A unit of the earlier policy is left out, because its earlier text does not fit the others. Then
  // the earlier policy as a whole enforces more.
  bool loses_earlier = false;
};

// `earlier` are the sources of a policy that was in force; may be empty. `check` accepts the
// returned sources, unless they are empty.
[[nodiscard]] Usable usable_sources(const std::vector<PolicyUnit>& units,
                                    const std::vector<policy::Source>& earlier, const Check& check);

// The files that diagnostics are about, with the rendered diagnostics of each.
[[nodiscard]] std::vector<BadFile> bad_files(const std::vector<policy::Diagnostic>& diagnostics,
                                             Fate fate);

// The name of the source that defines missing profiles. No file has such a name.
inline constexpr char kMissingProfiles[] = "(profiles of files that are left out)";

}  // namespace holdfast::policy_dirs

#endif  // HOLDFAST_POLICY_DIRS_USABLE_H
