// SPDX-License-Identifier: Apache-2.0
#include "run/rule_promise.h"

#include <algorithm>
#include <span>

namespace holdfast::run {
namespace {

using backend::Condition;

// The kernel asks about an accept before the peer is known. Only `holdfast run` accepts in place of
// the task, and then knows the peer.
bool accepts_by_peer(const policy::Compiled& policy, const policy::StatedRule& stated) {
  const hf_profile& profile = policy.tables->profiles[stated.profile];
  const std::span all(policy.tables->socket_rules);
  const auto rules = all.subspan(profile.socket_first, profile.socket_count);
  return std::ranges::any_of(rules, [&](const hf_socket_rule& rule) {
    return policy.rules[rule.rule].key == stated.key && (rule.ops & HF_SOCK_ACCEPT) != 0 &&
           (rule.families & HF_FAMILY_UNIX) != 0 && rule.peer_count > 0;
  });
}

}  // namespace

backend::Promise promise_for(const policy::Compiled& policy, const policy::StatedRule& rule,
                             backend::Enforcer enforcer, backend::Conditions holding) {
  if (accepts_by_peer(policy, rule)) holding.add(Condition::accepts_by_peer);
  const auto kind = backend::kind_named(rule.kind);
  if (!kind) return {backend::RuleKind{}, backend::Strength::none, "not promised"};
  return backend::promise_of(enforcer, *kind, holding);
}

}  // namespace holdfast::run
