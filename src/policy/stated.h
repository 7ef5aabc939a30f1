// SPDX-License-Identifier: Apache-2.0
// The restrictions of a policy that a backend has to enforce.
#ifndef HOLDFAST_POLICY_STATED_H
#define HOLDFAST_POLICY_STATED_H

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "policy/compiled.h"

namespace holdfast::policy {

// One restriction.
struct StatedRule {
  std::string_view
      kind;  // the name of its backend::RuleKind: "namespaces.enter", "trace", "socket"
  std::uint16_t profile = 0;
  Span where;
  std::string key;   // "namespaces.enter", "socket[2]"
  std::string text;  // "\"none\""
};

// The restrictions of one profile, or of all profiles in their order. A setting that restricts
// nothing, such as enter = "any", is not included. A restriction on namespaces also implies the
// restriction "trace", with the same place: a task must not make another task do what it may not do
// itself.
[[nodiscard]] std::vector<StatedRule> stated_rules(
    const Compiled& policy, std::optional<std::uint16_t> profile = std::nullopt);

}  // namespace holdfast::policy

#endif  // HOLDFAST_POLICY_STATED_H
