// SPDX-License-Identifier: Apache-2.0
// What a policy asks a backend to enforce.
#ifndef HOLDFAST_POLICY_STATED_H
#define HOLDFAST_POLICY_STATED_H

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "policy/compiled.h"

namespace holdfast::policy {

// One restriction that a line of policy states.
struct StatedRule {
  std::string_view
      kind;  // the name of its backend::RuleKind: "namespaces.enter", "trace", "socket"
  std::uint16_t profile = 0;
  Span where;
  std::string key;   // "namespaces.enter", "socket[2]"
  std::string text;  // "\"none\""
};

// The restrictions that a profile states, or all profiles without one, in order of the profiles. A
// line that restricts nothing (enter = "any") is none. "trace" follows from any restriction on
// namespaces, at its line: what a task may not do itself it may not make another do.
[[nodiscard]] std::vector<StatedRule> stated_rules(
    const Compiled& policy, std::optional<std::uint16_t> profile = std::nullopt);

}  // namespace holdfast::policy

#endif  // HOLDFAST_POLICY_STATED_H
