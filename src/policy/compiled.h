// SPDX-License-Identifier: Apache-2.0
// What a checked policy becomes: the tables that decide, and the places that explain.
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

// A line of policy that a verdict can name. Its index in Compiled::rules is the rule id; index 0 is
// the built-in default and has no place.
struct Rule {
  Span where;
  std::string profile;  // "web"
  std::string key;      // "namespaces.enter", "socket[2]"
  std::string text;     // the value as a reader would write it: "\"none\"", "[\"user\", \"net\"]"
};

// A cgroup path, or a pattern with '*', that binds its subtree to a profile.
struct Binding {
  std::string cgroup;  // starts with '/', no trailing '/' except for the root
  std::uint16_t profile = 0;
};

// An extended attribute that confers a profile.
struct Mark {
  std::string name;  // "user.holdfast.manager"
  std::uint16_t profile = 0;
  Span where;
};

// What a profile says about setting labels on sockets.
struct LabelRights {
  bool ruled = false;            // `set` was stated: only those names; else any
  std::vector<std::string> set;  // "user.varlink"
  bool inherit = false;          // accepted sockets copy the listener's labels
  std::uint32_t set_rule = 0;    // rule ids
  std::uint32_t inherit_rule = 0;
};

struct FreeTables {
  void operator()(const hf_tables* tables) const { std::free(const_cast<hf_tables*>(tables)); }
};
// Tables from calloc(): of their 640 KiB a small policy touches few pages, and start-up time is
// theirs.
template <typename Tables>
using TablesPtr = std::unique_ptr<Tables, FreeTables>;

// Immutable once made; share it between threads freely. About 0.7 MiB, nearly all of it the tables.
struct Compiled {
  TablesPtr<const hf_tables> tables;
  std::vector<std::string> profiles;  // by profile number; [0] is ""
  std::vector<Rule> rules;            // by rule id
  std::vector<Binding> bindings;
  std::vector<Mark> marks;
  std::vector<std::string> label_names;   // by label name index
  std::vector<std::string> label_values;  // by value id; [0] is ""
  std::vector<LabelRights> label_rights;  // by profile number
  std::uint64_t digest = 0;               // of the text (policy/load.h); 0: of none

  [[nodiscard]] std::optional<std::uint16_t> find_profile(std::string_view name) const;
};

}  // namespace holdfast::policy

#endif  // HOLDFAST_POLICY_COMPILED_H
