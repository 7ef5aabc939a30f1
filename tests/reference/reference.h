// SPDX-License-Identifier: Apache-2.0
// The policy language as a naive interpreter: it reads the checked model, in words and sets, and
// knows nothing of tables, masks or indices. Slow and plain on purpose; core/decide.h must agree
// with it.
#ifndef HOLDFAST_TESTS_REFERENCE_REFERENCE_H
#define HOLDFAST_TESTS_REFERENCE_REFERENCE_H

#include <cstdint>
#include <set>
#include <string>
#include <vector>

#include "policy/model.h"

namespace holdfast::reference {

// A sandbox, and whose it is. No owner: no sandbox.
struct Sandbox {
  std::string owner;
  std::uint64_t id = 0;
};

// What a backend says of an operation; "" as a profile's name: none.
struct Facts {
  bool readable = true;  // every fact could be read, and every profile exists
  bool sensible = true;
  std::string op;  // the word of the operation, as "hook" of an event; "": none
  std::string subject;
  std::string object;
  std::uint64_t started_in = 0;  // sandbox id
  Sandbox held;
  std::set<std::string> held_types;
  bool held_anchored = false;
  bool held_in_several = false;
  bool target_known = false;
  Sandbox target;
  std::set<std::string> types;
  bool same_cgroup = false;
  bool delegated = false;
  std::vector<std::string> source;  // profiles of the source cgroup, deepest first
  std::vector<std::string> destination;
  bool object_held_same = false;
  bool label_listed = false;
  std::string operation;  // socket operation, or "command", "map", "program", "attach"
  std::string family;
  std::uint32_t bpf_value = 0;
  bool bpf_outside = false;
  bool bpf_foreign = false;
  bool over_quota = false;
  bool over_memory = false;
  std::vector<std::pair<std::string, std::string>>
      labels;  // those present; value "\x01": one no rule names
  std::vector<std::pair<std::string, std::string>> peer_labels;
};

struct Outcome {
  std::string verdict = "allow";  // allow deny lock limit
  std::string mode = "enforce";
  std::string reason = "default";
  std::string profile;  // whose rule it was
  std::string key;      // "namespaces.enter"; "": no line of policy
  std::uint32_t line = 0;
  std::uint64_t set = 0;
  bool logged = false;

  bool operator==(const Outcome&) const = default;
};

[[nodiscard]] Outcome decide(const policy::Model& model, const Facts& facts);

// "deny enforce locked web namespaces.enter 7 set=0 logged"
[[nodiscard]] std::string to_string(const Outcome& outcome);

}  // namespace holdfast::reference

#endif  // HOLDFAST_TESTS_REFERENCE_REFERENCE_H
