// SPDX-License-Identifier: Apache-2.0
#include "daemon/unheld.h"

#include <fmt/core.h>

#include <algorithm>

#include "backend/machine.h"
#include "policy/stated.h"

namespace holdfast::daemon {
namespace {

bool is_about_a_sandbox(const hf_profile& profile, backend::RuleKind kind) {
  return kind == backend::RuleKind::namespaces_enter &&
         (profile.ns_enter == HF_ENTER_LOCK || profile.ns_enter == HF_ENTER_OWN);
}

}  // namespace

std::vector<UnheldRule> unheld_rules(const policy::Compiled& policy) {
  const auto promises = backend::machine_promises();
  std::vector<UnheldRule> unheld;
  for (const policy::StatedRule& rule : policy::stated_rules(policy)) {
    const auto promise = std::ranges::find(
        promises, rule.kind, [](const backend::Promise& p) { return backend::to_string(p.kind); });
    if (promise == promises.end()) continue;
    std::string why = promise->why;
    if (promise->strength == backend::Strength::enforced) {
      if (!is_about_a_sandbox(policy.tables->profiles[rule.profile], promise->kind)) continue;
      why = "about the namespaces of one sandbox: enforced for a run";
    }
    unheld.push_back(
        {rule.where, fmt::format("{}: {} = {}", policy.profiles[rule.profile], rule.key, rule.text),
         std::move(why)});
  }
  return unheld;
}

}  // namespace holdfast::daemon
