// SPDX-License-Identifier: Apache-2.0
#include "daemon/unenforced.h"

#include <fmt/core.h>

#include <algorithm>
#include <span>

#include "backend/backend.h"
#include "policy/stated.h"
#include "run/rule_promise.h"

namespace holdfast::daemon {

namespace {

// Only these promises of a service depend on the kernel, and finding out takes a while.
backend::Conditions conditions_for(const policy::Compiled& policy) {
  const std::span profiles(policy.tables->profiles, policy.tables->profile_count);
  const bool asks = std::ranges::any_of(
      profiles, [](const hf_profile& profile) { return profile.bpf_ruled != 0; });
  return asks ? backend::make_lsm_backend()->conditions() : backend::Conditions();
}

// A profile without a cgroup and a mark is for runs: no task of the machine has it.
bool is_for_services(const policy::Compiled& policy, std::uint16_t profile) {
  return std::ranges::any_of(policy.bindings,
                             [&](const auto& binding) { return binding.profile == profile; }) ||
         std::ranges::any_of(policy.marks,
                             [&](const auto& mark) { return mark.profile == profile; });
}

}  // namespace

std::vector<UnenforcedRule> unenforced_rules(const policy::Compiled& policy) {
  std::vector<UnenforcedRule> unenforced;
  const backend::Conditions holding = conditions_for(policy);
  for (const policy::StatedRule& rule : policy::stated_rules(policy)) {
    if (!is_for_services(policy, rule.profile)) continue;
    backend::Promise promise = run::promise_for(policy, rule, backend::Enforcer::service, holding);
    if (promise.strength == backend::Strength::enforced) continue;
    unenforced.push_back(
        {rule.where, fmt::format("{}: {} = {}", policy.profiles[rule.profile], rule.key, rule.text),
         std::move(promise.why)});
  }
  return unenforced;
}

}  // namespace holdfast::daemon
