// SPDX-License-Identifier: Apache-2.0
// Finds and reads the policy files of a machine, as systemd does with its units: a file hides those
// of the same name in earlier directories, a link to /dev/null masks it, and NAME.toml.d/*.toml of
// all directories are drop-ins of NAME.toml. A unit is NAME.toml with its drop-ins.
#ifndef HOLDFAST_POLICY_DIRS_POLICY_DIRS_H
#define HOLDFAST_POLICY_DIRS_POLICY_DIRS_H

#include <map>
#include <string>
#include <vector>

#include "base/result.h"
#include "policy/load.h"

namespace holdfast::policy_dirs {

inline constexpr char kVendorDirectory[] = "/usr/lib/holdfast/policy.d";
inline constexpr char kLocalDirectory[] = "/etc/holdfast/policy.d";
// Profiles that are not in force unless a policy directory has a link to them.
inline constexpr char kProfilesDirectory[] = "/usr/share/holdfast/profiles";

// Is a directory that does not exist an error, or the same as an empty one?
enum class Missing { is_empty, is_error };

// owner_only: files that users other than root and the caller may write are refused.
enum class Trust { owner_only, anybody };

struct PolicyDirs {
  std::vector<std::string> paths = {kVendorDirectory, kLocalDirectory};  // later ones hide earlier
  Missing missing = Missing::is_empty;
  Trust trust = Trust::owner_only;
};

// used     part of the policy
// masked   a link to /dev/null: neither it nor its drop-ins are part of the policy
// hidden   a later directory has a file of the same name
// orphan   a drop-in of a file that does not exist, or is masked
// refused  it should be part of the policy, but cannot be read, or others may write it
enum class Use { used, masked, hidden, orphan, refused };
[[nodiscard]] std::string_view to_string(Use use);

struct PolicyFile {
  std::string path;
  bool drop_in = false;
  Use use = Use::used;
  std::string why;   // with Use::refused
  std::string text;  // with Use::used
};

struct PolicyUnit {
  std::string name;               // "web.toml"
  std::vector<PolicyFile> files;  // first NAME.toml of each directory, then the drop-ins by name

  // The files in use, in order. Empty: the unit is masked, or NAME.toml is refused.
  [[nodiscard]] std::vector<policy::Source> sources() const;
};

// What a directory would have. Text: a file. mask: a link to /dev/null. absent: nothing.
struct PlannedFile {
  enum class Kind { text, mask, absent } kind = Kind::text;
  std::string text;
};
using Plan = std::map<std::string, PlannedFile>;  // by path

// The units of all directories, by name, as they would be after `plan`. Never waits for a file.
// Errors: those of reading a directory.
[[nodiscard]] Result<std::vector<PolicyUnit>> read_units(const PolicyDirs& dirs,
                                                         const Plan& plan = {});

// The sources of all units.
[[nodiscard]] std::vector<policy::Source> sources_of(const std::vector<PolicyUnit>& units);

// The refused files, as diagnostics without a line. Empty: there are none.
[[nodiscard]] std::vector<policy::Diagnostic> refusals(const std::vector<PolicyUnit>& units);

// The directories and those of drop-ins in them, as far as they exist: a change of a file in one of
// them may change the policy.
[[nodiscard]] std::vector<std::string> directories_of(const PolicyDirs& dirs);

}  // namespace holdfast::policy_dirs

#endif  // HOLDFAST_POLICY_DIRS_POLICY_DIRS_H
