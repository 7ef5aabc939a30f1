// SPDX-License-Identifier: Apache-2.0
#include "daemon/unheld.h"

#include <fmt/core.h>

#include <algorithm>
#include <array>

namespace holdfast::daemon {

namespace {

// Kinds of rules that the machine backend decides.
constexpr std::array<std::uint32_t, 4> kHeld = {
    HF_RULE_CG_LEAVE,
    HF_RULE_CG_JOIN,
    HF_RULE_CG_INSIDE,
    HF_RULE_PROFILE,  // where it is defined: no rule
};

void add_rule(const policy::Compiled& policy, std::uint32_t id, std::vector<UnheldRule>& unheld) {
  if (id == HF_RULE_DEFAULT || id >= policy.rules.size()) return;
  const policy::Rule& rule = policy.rules[id];
  unheld.push_back({rule.where, fmt::format("{}: {} = {}", rule.profile, rule.key, rule.text)});
}

}  // namespace

std::vector<UnheldRule> unheld_rules(const policy::Compiled& policy) {
  std::vector<UnheldRule> unheld;
  const hf_tables& tables = *policy.tables;
  for (std::size_t at = 1; at < policy.profiles.size(); ++at) {
    const hf_profile& profile = tables.profiles[at];
    for (std::uint32_t kind = 0; kind < HF_RULE_KINDS; ++kind)
      if (std::ranges::find(kHeld, kind) == kHeld.end()) add_rule(policy, profile.rules[kind], unheld);
    for (std::uint32_t i = 0; i < profile.socket_count; ++i)
      add_rule(policy, tables.socket_rules[profile.socket_first + i].rule, unheld);
    if (at >= policy.label_rights.size()) continue;
    add_rule(policy, policy.label_rights[at].set_rule, unheld);
    add_rule(policy, policy.label_rights[at].inherit_rule, unheld);
  }
  for (const policy::Mark& mark : policy.marks)
    unheld.push_back(
        {mark.where, fmt::format("{}: mark = \"{}\"", policy.profiles[mark.profile], mark.name)});
  return unheld;
}

}  // namespace holdfast::daemon
