// SPDX-License-Identifier: Apache-2.0
#include "daemon/unenforced.h"

#include <fmt/core.h>

#include "policy/stated.h"
#include "run/rule_promise.h"

namespace holdfast::daemon {

std::vector<UnenforcedRule> unenforced_rules(const policy::Compiled& policy) {
  std::vector<UnenforcedRule> unenforced;
  for (const policy::StatedRule& rule : policy::stated_rules(policy)) {
    backend::Promise promise = run::promise_for(policy, rule, backend::Enforcer::service, {});
    if (promise.strength == backend::Strength::enforced) continue;
    unenforced.push_back(
        {rule.where, fmt::format("{}: {} = {}", policy.profiles[rule.profile], rule.key, rule.text),
         std::move(promise.why)});
  }
  return unenforced;
}

}  // namespace holdfast::daemon
