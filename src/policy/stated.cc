// SPDX-License-Identifier: Apache-2.0
#include "policy/stated.h"

#include <algorithm>

#include "policy/keys.h"

namespace holdfast::policy {
namespace {

class Collector {
 public:
  Collector(const Compiled& policy, std::uint16_t number)
      : policy_(policy), number_(number), profile_(policy.tables->profiles[number]) {}

  std::vector<StatedRule> collect() {
    for (const Key& key : kKeys) add_key(key);
    trace();
    return std::move(found_);
  }

 private:
  void add(std::string_view kind, std::uint32_t rule_id) {
    const Rule& rule = policy_.rules[rule_id];
    found_.push_back({kind, number_, rule.where, rule.key, rule.text});
  }

  void add_key(const Key& key) {
    const LabelRights& labels = policy_.label_rights[number_];
    std::visit(ByType{
                   [&](const BpfMaskKey&) {
                     // Lists that are left out share the line of the section; it is one rule then.
                     const std::uint32_t rule = profile_.rules[key.rule];
                     if (restricts(key, profile_) && rule != last_list_) add(key.kind, rule);
                     last_list_ = rule;
                   },
                   [&](const LabelNamesKey&) {
                     if (labels.ruled) add(key.kind, labels.set_rule);
                   },
                   [&](const LabelFlagKey&) {
                     if (labels.inherit) add(key.kind, labels.inherit_rule);
                   },
                   [&](const SocketRulesKey&) {
                     for (std::uint32_t i = 0; i < profile_.socket_count; i++)
                       add(key.kind, policy_.tables->socket_rules[profile_.socket_first + i].rule);
                   },
                   [&](const MarkNameKey&) { marks(key.kind); },
                   [&](const auto&) {
                     if (!key.kind.empty() && restricts(key, profile_))
                       add(key.kind, profile_.rules[key.rule]);
                   },
               },
               key.type);
  }

  void marks(std::string_view kind) {
    for (const Mark& mark : policy_.marks) {
      if (mark.profile == number_)
        found_.push_back({kind, number_, mark.where, "mark", "\"" + mark.name + "\""});
    }
  }

  // Tracing is restricted with namespaces. The first such rule in this order is its rule.
  void trace() {
    for (const std::string_view key :
         {"namespaces.enter", "namespaces.visitors", "namespaces.create"}) {
      const auto rule = std::ranges::find(found_, key, &StatedRule::kind);
      if (rule == found_.end()) continue;
      StatedRule trace = *rule;
      trace.kind = "trace";
      found_.push_back(std::move(trace));
      return;
    }
  }

  const Compiled& policy_;
  std::uint16_t number_;
  const hf_profile& profile_;
  std::uint32_t last_list_ = HF_RULE_DEFAULT;
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
