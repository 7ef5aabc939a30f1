// SPDX-License-Identifier: Apache-2.0
#include "daemon/unenforced.h"

#include <fmt/core.h>

#include <algorithm>
#include <span>

#include "backend/machine.h"
#include "policy/stated.h"

namespace holdfast::daemon {
namespace {

bool is_about_a_sandbox(const hf_profile& profile, backend::RuleKind kind) {
  return kind == backend::RuleKind::namespaces_enter &&
         (profile.ns_enter == HF_ENTER_LOCK || profile.ns_enter == HF_ENTER_OWN);
}

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

// Why holdfastd does not enforce this rule, although it enforces others of its kind. Empty: it
// does.
std::string exception(const policy::Compiled& policy, const policy::StatedRule& stated,
                      backend::RuleKind kind) {
  if (is_about_a_sandbox(policy.tables->profiles[stated.profile], kind))
    return "it is about the namespaces of one sandbox: only a run enforces it";
  if (kind == backend::RuleKind::socket && accepts_by_peer(policy, stated))
    return "refused: an accept that depends on the peer's label; only a run decides it";
  return "";
}

}  // namespace

std::vector<UnenforcedRule> unenforced_rules(const policy::Compiled& policy) {
  const auto promises = backend::machine_promises();
  std::vector<UnenforcedRule> unenforced;
  for (const policy::StatedRule& rule : policy::stated_rules(policy)) {
    const auto promise = std::ranges::find(
        promises, rule.kind, [](const backend::Promise& p) { return backend::to_string(p.kind); });
    if (promise == promises.end()) continue;
    std::string why = promise->why;
    if (promise->strength == backend::Strength::enforced) {
      why = exception(policy, rule, promise->kind);
      if (why.empty()) continue;
    }
    unenforced.push_back(
        {rule.where, fmt::format("{}: {} = {}", policy.profiles[rule.profile], rule.key, rule.text),
         std::move(why)});
  }
  return unenforced;
}

}  // namespace holdfast::daemon
