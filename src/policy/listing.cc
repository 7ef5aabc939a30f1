// SPDX-License-Identifier: Apache-2.0
#include "policy/listing.h"

#include <fmt/core.h>

#include <string_view>

#include "policy/keys.h"
#include "policy/toml_text.h"

namespace holdfast::policy {
namespace {

std::string list_text(const std::vector<Stated<std::string>>& values) {
  if (values.size() == 1) return values[0].text;
  std::string text;
  for (const Stated<std::string>& value : values) text += (text.empty() ? "" : ", ") + value.text;
  return "[" + text + "]";
}

std::string words_text(Names names, std::uint32_t mask) {
  std::string text;
  for (const Name& name : names)
    if ((mask & name.value) != 0)
      text += fmt::format("{}\"{}\"", text.empty() ? "" : ", ", name.text);
  return "[" + text + "]";
}

std::string conditions_text(const std::vector<LabelCondition>& conditions) {
  std::string text;
  for (const LabelCondition& condition : conditions) {
    const std::string value = condition.kind == HF_LABEL_ABSENT ? "false"
                              : condition.kind == HF_LABEL_ANY  ? "\"*\""
                                                                : toml_string(condition.value);
    text += fmt::format("{} {} = {}", text.empty() ? "" : ",", toml_string(condition.name), value);
  }
  return "{" + text + " }";
}

}  // namespace

std::string socket_rule_text(const SocketRule& rule, std::string_view separator) {
  std::string text = "on = " + words_text(kSocketOpNames, rule.ops);
  const auto add = [&](std::string_view key, const std::string& value) {
    text += fmt::format("{}{} = {}", separator, key, value);
  };
  if (rule.families != HF_FAMILIES_ALL) add("family", words_text(kFamilyNames, rule.families));
  if (!rule.own.empty()) add("label", conditions_text(rule.own));
  if (!rule.peer.empty()) add("peer", conditions_text(rule.peer));
  add(rule.verdict == HF_SOCK_RATE ? "rate" : "verdict", rule.text);
  return text;
}

std::vector<Statement> statements_of(const Model& model) {
  std::vector<Statement> all;
  for (const Profile& profile : model.profiles) {
    const std::size_t before = all.size();
    const auto add = [&](std::string_view key, std::string text, const Span& where) {
      all.push_back({profile.name, std::string(key), std::move(text), where});
    };
    for (const Key& key : kKeys)
      std::visit(ByType{[&](const PathsKey&) {
                          if (!profile.cgroups.empty())
                            add(key.name, list_text(profile.cgroups), profile.cgroups[0].where);
                        },
                        [&](const UnitsKey&) {
                          if (!profile.units.empty())
                            add(key.name, list_text(profile.units), profile.units[0].where);
                        },
                        [&](const SocketRulesKey&) {
                          for (std::size_t i = 0; i < profile.sockets.size(); i++)
                            add(fmt::format("socket[{}]", i + 1),
                                socket_rule_text(profile.sockets[i], ", "),
                                profile.sockets[i].where);
                        },
                        [&]<typename Type>(const Type& type) {
                          if constexpr (requires { type.setting; })
                            if (const auto& setting = profile.*type.setting)
                              add(key.name, setting->text, setting->where);
                        }},
                 key.type);
    if (all.size() == before) add("", "", profile.where);
  }
  return all;
}

}  // namespace holdfast::policy
