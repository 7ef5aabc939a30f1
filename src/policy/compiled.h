// SPDX-License-Identifier: Apache-2.0
// A compiled policy: the tables that decide, and the texts and places that explain decisions.
#ifndef HOLDFAST_POLICY_COMPILED_H
#define HOLDFAST_POLICY_COMPILED_H

#include <cstdint>
#include <cstdlib>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/abi.h"

namespace holdfast::policy {

// A place in a policy file. Lines and columns count from 1, columns in bytes.
struct Span {
  std::string file;
  std::uint32_t line = 0;
  std::uint32_t column = 0;
  std::uint32_t length = 0;  // bytes on that line to underline; 0: one

  // "file:line:column"
  [[nodiscard]] std::string place() const;
};

// A statement of the policy that a verdict can refer to. Its index in Compiled::rules is the rule
// id. Index 0 is the built-in default and has no place.
struct Rule {
  Span where;
  std::string profile;  // "web"
  std::string key;      // "namespaces.enter", "socket[2]"
  std::string text;     // the value as TOML: "\"none\"", "[\"user\", \"net\"]"
};

// A cgroup path, or a pattern with '*', that binds its subtree to a profile.
struct Binding {
  std::string cgroup;  // starts with '/', no trailing '/' except for the root
  std::uint16_t profile = 0;
};

// An extended attribute that gives a profile to tasks.
struct Mark {
  std::string name;  // "user.holdfast.manager"
  std::uint16_t profile = 0;
  Span where;
};

// The settings of a profile about labels of sockets.
struct LabelRights {
  bool ruled = false;            // true: members may set only the names in `set`; false: any name
  std::vector<std::string> set;  // "user.varlink"
  bool inherit = false;          // accepted sockets copy the listener's labels
  std::uint32_t set_rule = 0;    // rule ids
  std::uint32_t inherit_rule = 0;
};

// Whom [sessions] names.
struct SessionUser {
  enum class Kind { any, user, group };
  Kind kind = Kind::any;
  std::string name;                     // of the user or group; empty: by number
  std::optional<std::uint32_t> number;  // uid or gid
};

// The ordinary users whose runs holdfastd holds, and what each of them may have at one time. They count
// in the machine's policy alone.
struct SessionRules {
  std::vector<SessionUser> users;  // empty: root alone
  std::uint32_t sessions = 16;
  std::uint32_t members = 1024;   // tasks of all sessions; a task that is in two counts twice
  std::uint32_t namespaces = 64;  // tracked ones of one session
  std::uint32_t policies = 4;     // that differ
  std::uint32_t rules =
      256;  // of one policy: its socket rules, profiles, names and values of labels
};

// Which containers may ask for a profile by the annotation io.holdfast.profile.
struct AskedBy {
  bool any = false;                   // those of every runtime
  std::vector<std::string> runtimes;  // names of the runtimes' programs: "crun"
};

struct FreeTables {
  void operator()(const hf_tables* tables) const { std::free(const_cast<hf_tables*>(tables)); }
};
// Tables that calloc() allocated. They have 640 KiB, of which a small policy touches few pages.
// This makes the start fast.
template <typename Tables>
using TablesPtr = std::unique_ptr<Tables, FreeTables>;

// Immutable, so threads may share it. About 0.7 MiB, most of it for the tables.
struct Compiled {
  TablesPtr<const hf_tables> tables;
  std::vector<std::string> profiles;  // names by profile number; [0] is ""
  std::vector<Rule> rules;            // by rule id
  std::vector<Binding> bindings;
  std::vector<Mark> marks;
  std::vector<std::string> label_names;   // by the number of the name
  std::vector<std::string> label_values;  // by value id; [0] is ""
  std::vector<LabelRights> label_rights;  // by profile number
  SessionRules sessions;
  std::uint64_t digest = 0;       // text_digest() (policy/load.h); 0: there is no text
  std::vector<AskedBy> asked_by;  // by profile number

  [[nodiscard]] std::optional<std::uint16_t> find_profile(std::string_view name) const;
};

}  // namespace holdfast::policy

#endif  // HOLDFAST_POLICY_COMPILED_H
