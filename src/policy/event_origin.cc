// SPDX-License-Identifier: Apache-2.0
#include "policy/event_origin.h"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "policy/event_json.h"

namespace holdfast::policy {
namespace {

using Json = nlohmann::json;

}  // namespace

EventOrigin event_origin(std::string_view line) {
  const Json json = Json::parse(line, nullptr, /*allow_exceptions=*/false);
  EventOrigin origin;
  if (!json.is_object()) return origin;
  if (json.contains("generation") && json["generation"].is_number_unsigned())
    origin.generation = json["generation"].get<std::uint64_t>();
  if (json.contains("policy") && json["policy"].is_string())
    origin.digest = json["policy"].get<std::string>();
  return origin;
}

std::optional<Rule> event_rule(std::string_view line) {
  const Json json = Json::parse(line, nullptr, /*allow_exceptions=*/false);
  if (!json.is_object() || !json.contains("rule") || !json["rule"].is_object()) return std::nullopt;
  const Json& from = json["rule"];
  const auto text = [&](const Json& in, const char* key) {
    const auto at = in.find(key);
    return at != in.end() && at->is_string() ? at->get<std::string>() : std::string();
  };
  const auto number = [&](const char* key) {
    const auto at = from.find(key);
    return at != from.end() && at->is_number_unsigned() ? at->get<std::uint32_t>() : 0u;
  };
  const Rule rule{{text(from, "file"), number("line"), number("column"), 0},
                  text(json, "profile"),
                  text(from, "key"),
                  text(from, "text")};
  if (rule.where.file.empty()) return std::nullopt;
  return rule;
}

Compiled recorded_policy(std::string_view line) {
  constexpr std::uint64_t kMostRules = 1u << 20;  // a line may be anybody's
  EventNames names;
  collect_names(line, names);
  const auto rule = event_rule(line);
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
  const Json id =
      Json::parse(line, nullptr, /*allow_exceptions=*/false)["rule"].value("id", Json());
  if (!id.is_number_unsigned() || id.get<std::uint64_t>() >= kMostRules) return policy;
  policy.rules.resize(std::max<std::size_t>(1, id.get<std::size_t>() + 1));
  policy.rules[id.get<std::size_t>()] = *rule;
  return policy;
}

}  // namespace holdfast::policy
