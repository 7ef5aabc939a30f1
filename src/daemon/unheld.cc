// SPDX-License-Identifier: Apache-2.0
#include "daemon/unheld.h"

#include <fmt/core.h>

#include <algorithm>

#include "backend/machine.h"
#include "policy/stated.h"

namespace holdfast::daemon {

std::vector<UnheldRule> unheld_rules(const policy::Compiled& policy) {
  const auto promises = backend::machine_promises();
  std::vector<UnheldRule> unheld;
  for (const policy::StatedRule& rule : policy::stated_rules(policy)) {
    const auto promise = std::ranges::find(
        promises, rule.kind, [](const backend::Promise& p) { return backend::to_string(p.kind); });
    if (promise == promises.end() || promise->strength == backend::Strength::enforced) continue;
    // What follows from another rule is named by that rule's own line.
    if (promise->kind == backend::RuleKind::trace) continue;
    unheld.push_back(
        {rule.where, fmt::format("{}: {} = {}", policy.profiles[rule.profile], rule.key, rule.text),
         promise->why});
  }
  return unheld;
}

}  // namespace holdfast::daemon
