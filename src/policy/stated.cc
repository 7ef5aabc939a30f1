// SPDX-License-Identifier: Apache-2.0
#include "policy/stated.h"

#include <array>

namespace holdfast::policy {
namespace {

class Collector {
 public:
  Collector(const Compiled& policy, std::uint16_t number)
      : policy_(policy), number_(number), profile_(policy.tables->profiles[number]) {}

  std::vector<StatedRule> collect() {
    namespaces();
    cgroups();
    mark();
    for (std::uint32_t i = 0; i < profile_.socket_count; i++)
      add("socket", policy_.tables->socket_rules[profile_.socket_first + i].rule);
    const LabelRights& labels = policy_.label_rights[number_];
    if (labels.ruled) add("label", labels.set_rule);
    if (labels.inherit) add("label", labels.inherit_rule);
    bpf();
    return std::move(found_);
  }

 private:
  void add(std::string_view kind, std::uint32_t rule_id) {
    const Rule& rule = policy_.rules[rule_id];
    found_.push_back({kind, number_, rule.where, rule.key, rule.text});
  }

  void namespaces() {
    const bool create = profile_.ns_create != HF_NS_ALL;
    const bool enter = profile_.ns_enter != HF_ENTER_ANY;
    const bool visitors = profile_.ns_visitors != HF_VISITORS_ALLOW;
    if (create) add("namespaces.create", profile_.rules[HF_RULE_NS_CREATE]);
    if (enter) add("namespaces.enter", profile_.rules[HF_RULE_NS_ENTER]);
    if (visitors) add("namespaces.visitors", profile_.rules[HF_RULE_NS_VISITORS]);
    if (enter) return add("trace", profile_.rules[HF_RULE_NS_ENTER]);
    if (visitors) return add("trace", profile_.rules[HF_RULE_NS_VISITORS]);
    if (create) add("trace", profile_.rules[HF_RULE_NS_CREATE]);
  }

  void cgroups() {
    if (profile_.cg_leave != HF_MOVERS_ANY) add("cgroups.leave", profile_.rules[HF_RULE_CG_LEAVE]);
    if (profile_.cg_join != HF_MOVERS_ANY) add("cgroups.join", profile_.rules[HF_RULE_CG_JOIN]);
    if (profile_.cg_inside != HF_INSIDE_ANY)
      add("cgroups.inside", profile_.rules[HF_RULE_CG_INSIDE]);
  }

  void mark() {
    for (const Mark& mark : policy_.marks) {
      if (mark.profile == number_)
        found_.push_back({"mark", number_, mark.where, "mark", "\"" + mark.name + "\""});
    }
  }

  // Missing lists have the place of the section. They count as one restriction.
  void bpf() {
    if (profile_.bpf_ruled == 0) return;
    std::uint32_t last = HF_RULE_DEFAULT;
    for (const std::uint32_t kind :
         std::array<std::uint32_t, 4>{HF_RULE_BPF_COMMANDS, HF_RULE_BPF_MAPS, HF_RULE_BPF_PROGRAMS,
                                      HF_RULE_BPF_ATTACHMENTS}) {
      if (profile_.rules[kind] == last) continue;
      last = profile_.rules[kind];
      add("bpf.delegate", last);
    }
    for (const std::uint32_t kind :
         std::array<std::uint32_t, 4>{HF_RULE_BPF_ATTACH_TO, HF_RULE_BPF_QUOTA_MAPS,
                                      HF_RULE_BPF_QUOTA_PROGRAMS, HF_RULE_BPF_QUOTA_MEMORY}) {
      if (kind == HF_RULE_BPF_ATTACH_TO && profile_.bpf_attach_to == HF_ATTACH_ANYWHERE) continue;
      if (profile_.rules[kind] != HF_RULE_DEFAULT) add("bpf.delegate", profile_.rules[kind]);
    }
  }

  const Compiled& policy_;
  std::uint16_t number_;
  const hf_profile& profile_;
  std::vector<StatedRule> found_;
};

}  // namespace

std::vector<StatedRule> stated_rules(const Compiled& policy, std::optional<std::uint16_t> profile) {
  if (profile) return Collector(policy, *profile).collect();
  std::vector<StatedRule> all;
  for (std::size_t i = 1; i < policy.profiles.size(); i++) {
    for (StatedRule& rule : Collector(policy, static_cast<std::uint16_t>(i)).collect())
      all.push_back(std::move(rule));
  }
  return all;
}

}  // namespace holdfast::policy
