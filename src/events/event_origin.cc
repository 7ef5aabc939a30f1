// SPDX-License-Identifier: Apache-2.0
#include "events/event_origin.h"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "events/event_json.h"
#include "events/json_fields.h"

namespace holdfast::policy {
namespace {

using Json = nlohmann::json;

Json parsed(std::string_view line) {
  return Json::parse(line, nullptr, /*allow_exceptions=*/false);
}

std::optional<Rule> rule_of(const Json& json) {
  if (!json.is_object() || !json.contains("rule") || !json["rule"].is_object()) return std::nullopt;
  const Json& from = json["rule"];
  const Rule rule{{text_in(from, "file"), number_in<std::uint32_t>(from, "line"),
                   number_in<std::uint32_t>(from, "column"), 0},
                  text_in(json, "profile"),
                  text_in(from, "key"),
                  text_in(from, "text")};
  if (rule.where.file.empty()) return std::nullopt;
  return rule;
}

}  // namespace

EventOrigin event_origin(std::string_view line) {
  const Json json = parsed(line);
  if (!json.is_object()) return {};
  EventOrigin origin;
  origin.generation = number_in<std::uint64_t>(json, "generation");
  origin.digest = text_in(json, "policy");
  return origin;
}

std::optional<Rule> event_rule(std::string_view line) { return rule_of(parsed(line)); }

Compiled recorded_policy(std::string_view line) {
  constexpr std::uint64_t kMaxRules = 1u << 20;  // the line may come from an untrusted source
  EventNames names;
  collect_names(line, names);
  const Json json = parsed(line);
  const auto rule = rule_of(json);
  if (rule) names.profiles.insert(rule->profile);
  names.profiles.erase("");
  names.label_values.erase("");
  Compiled policy;
  policy.profiles.emplace_back();
  policy.profiles.insert(policy.profiles.end(), names.profiles.begin(), names.profiles.end());
  policy.label_names.assign(names.label_names.begin(), names.label_names.end());
  policy.label_values.emplace_back();
  policy.label_values.insert(policy.label_values.end(), names.label_values.begin(),
                             names.label_values.end());
  policy.rules.emplace_back();
  if (!rule) return policy;
  const Json id = json["rule"].value("id", Json());
  if (!id.is_number_unsigned() || id.get<std::uint64_t>() >= kMaxRules) return policy;
  policy.rules.resize(std::max<std::size_t>(1, id.get<std::size_t>() + 1));
  policy.rules[id.get<std::size_t>()] = *rule;
  return policy;
}

}  // namespace holdfast::policy
