// SPDX-License-Identifier: Apache-2.0
// Applies bundles to the policy directory of a machine, and goes back to the files of before.
//
// The record STATE/bundle.json says which bundle is applied. An application has four steps:
//
//   1. each new file is written beside the old one, as PATH.new, and synced
//   2. the record is written, with the list of what is to be renamed and removed
//   3. the files are renamed and removed
//   4. the record is written again, without that list
//
// A process that ends before step 2 has changed nothing. After that, finish() does the rest. It is
// called before the files of the policy are read for a start, and before the next application.
#ifndef HOLDFAST_BUNDLE_MACHINE_H
#define HOLDFAST_BUNDLE_MACHINE_H

#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "bundle/bundle.h"
#include "policy_dirs/policy_dirs.h"

namespace holdfast::bundle {

inline constexpr char kStateDirectory[] = "/var/lib/holdfast";
inline constexpr char kKeysDirectory[] = "/etc/holdfast/bundle-keys";

// The path of the record.
[[nodiscard]] std::string record_path(const std::string& state_dir);
// The lock of all that change files of the policy. holdfastd takes it shared to read them.
[[nodiscard]] std::string lock_path(const std::string& state_dir);

// A file and what it has to contain.
struct Applied {
  std::string path;  // as File::path
  std::string sha256;

  bool operator==(const Applied&) const = default;
};

// The bundle that is applied.
struct Current {
  std::string name;
  std::string digest;
  std::string key;
  std::vector<std::string> checks;
  std::vector<Applied> files;
  // policy::digest_text() of the policy with all files of the machine. Events name it.
  std::string policy;

  bool operator==(const Current&) const = default;
};

struct Record {
  std::optional<Current> current;   // empty: the files are not those of a bundle
  std::optional<Current> previous;  // what revert() goes back to; empty: to files of no bundle
  // What `current` has replaced. A text is empty if there was no file.
  struct Before {
    std::string path;
    std::optional<std::string> text;
    bool operator==(const Before&) const = default;
  };
  std::vector<Before> before;
  bool can_revert = false;
  std::string newest;  // the latest name that was ever applied; empty: none was
  // Steps 2 and 3 of an application that has not ended.
  std::vector<Applied> to_rename;
  std::vector<std::string> to_remove;

  bool operator==(const Record&) const = default;
};

// Reads the record. Empty fields: there is none. Errors: those of reading; EBADMSG it is damaged.
[[nodiscard]] Result<Record> read_record(const std::string& state_dir);
// For tests: the record as JSON and back. nullopt: it is damaged.
[[nodiscard]] std::string record_json(const Record& record);
[[nodiscard]] std::optional<Record> record_from_json(std::string_view text);

// The name of the bundle of which the policy with this digest (policy::digest_text()) was made.
// Empty: it is known of no bundle.
[[nodiscard]] std::string policy_name(const Record& record, std::string_view digest);

// Are the files of `current` as the bundle has them? The names of those that are not.
[[nodiscard]] std::vector<std::string> changed_files(const Current& current,
                                                     const std::string& directory);

struct Machine {
  policy_dirs::PolicyDirs dirs;  // the files of bundles are in the last one
  std::string state_dir = kStateDirectory;
};

enum class Order { later_only, any };
enum class Foreign { refuse, replace };
struct Conditions {
  Order order = Order::later_only;    // any: an older bundle may be applied
  Foreign foreign = Foreign::refuse;  // replace: files that are no bundle's, or were changed
  std::optional<unsigned> ring;       // this machine's number from 1 to 100; empty: not compared
};

// Would the files after this plan be a policy? An error with code 0 has the diagnostics.
using Check = std::function<Result<void>(const policy_dirs::Plan& plan)>;
// The mistakes of the language. What holdfastd does not enforce is not among them.
[[nodiscard]] Result<void> check_language(const policy_dirs::PolicyDirs& dirs,
                                          const policy_dirs::Plan& plan);

// The plan of files after an application.
[[nodiscard]] Result<policy_dirs::Plan> plan_of(const Machine& machine, const Verified& bundle);

// Makes the files of the last policy directory those of the bundle: writes its files, and removes
// those of the bundle before that it does not have. Returns whether anything had to be changed. The
// live policy is not changed. Errors: ESTALE an older bundle; EEXIST another bundle of this name was
// applied, or a file is no bundle's or was changed since; EXDEV the bundle is for another ring;
// code 0 the policy would have mistakes; EWOULDBLOCK another process changes files; those of
// reading and writing. After an error nothing has changed, or finish() has to be called.
[[nodiscard]] Result<bool> apply(const Machine& machine, const Verified& bundle,
                                 const Conditions& conditions, const Check& check);

// Puts back the files that the last apply() has replaced. The bundle that was reverted may be
// applied again. Errors: ENOENT there is nothing to go back to; code 0; those of apply().
[[nodiscard]] Result<void> revert(const Machine& machine, const Check& check);

// Ends an application that a killed process has begun. The caller need not hold the lock. Returns
// whether there was one. Errors: EIO a file is neither prepared nor in place; EWOULDBLOCK; those of
// reading and writing.
[[nodiscard]] Result<bool> finish(const Machine& machine);

}  // namespace holdfast::bundle

#endif  // HOLDFAST_BUNDLE_MACHINE_H
