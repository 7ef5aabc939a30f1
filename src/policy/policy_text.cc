// SPDX-License-Identifier: Apache-2.0
#include "policy/policy_text.h"

#include <nlohmann/json.hpp>
#include <utility>

#include "policy/compile.h"
#include "policy/enum_names.h"
#include "policy/parse.h"

namespace holdfast::policy {
namespace {

using Json = nlohmann::ordered_json;

void put_text(Json& json, const PolicyText& text) {
  json["sources"] = Json::array();
  for (const Source& source : text.sources) {
    Json one = {{"name", source.name}, {"text", source.text}};
    if (source.drop_in) one["drop_in"] = true;
    json["sources"].push_back(std::move(one));
  }
  json["modes"] = Json::object();
  for (const auto& [profile, mode] : text.modes) json["modes"][profile] = name_of(kModeNames, mode);
}

std::optional<PolicyText> text_of(const Json& json) {
  if (!json.is_object() || !json.contains("sources") || !json["sources"].is_array())
    return std::nullopt;
  PolicyText text;
  for (const Json& source : json["sources"]) {
    if (!source.is_object() || !source.contains("name") || !source["name"].is_string() ||
        !source.contains("text") || !source["text"].is_string())
      return std::nullopt;
    text.sources.push_back({source["name"].get<std::string>(), source["text"].get<std::string>(),
                            source.value("drop_in", Json(false)) == true});
  }
  if (!json.contains("modes") || !json["modes"].is_object()) return text;
  for (const auto& [profile, mode] : json["modes"].items()) {
    const auto known =
        mode.is_string() ? value_of(kModeNames, mode.get<std::string>()) : std::nullopt;
    if (!known) return std::nullopt;
    text.modes[profile] = static_cast<std::uint8_t>(*known);
  }
  return text;
}

std::string one_line(const Json& json) {
  return json.dump(-1, ' ', false, Json::error_handler_t::replace);
}

}  // namespace

std::string policy_line(const PolicyText& text) {
  Json policy = {{"digest", digest_text(text_digest(text.sources))}};
  put_text(policy, text);
  return one_line({{"version", 1}, {"policy", std::move(policy)}});
}

std::optional<PolicyText> policy_from_line(std::string_view line) {
  if (!line.starts_with(kPolicyLine)) return std::nullopt;
  const Json json = Json::parse(line, nullptr, /*allow_exceptions=*/false);
  return json.is_object() ? text_of(json["policy"]) : std::nullopt;
}

std::string generation_json(std::uint64_t number, const PolicyText& text) {
  Json json = {{"generation", number}};
  put_text(json, text);
  return one_line(json);
}

std::optional<PolicyText> generation_from_json(std::string_view text, std::uint64_t number) {
  const Json json = Json::parse(text, nullptr, /*allow_exceptions=*/false);
  if (!json.is_object() || !json.contains("generation") || json["generation"] != number)
    return std::nullopt;
  return text_of(json);
}

ReadPolicy read_policy(const PolicyText& text) {
  ParseResult parsed = parse(text.sources);
  ReadPolicy read;
  read.diagnostics = std::move(parsed.diagnostics);
  if (!read.diagnostics.empty()) return read;
  read.model = std::move(parsed.model);
  for (Profile& profile : read.model.profiles) {
    const auto changed = text.modes.find(profile.name);
    if (changed == text.modes.end()) continue;
    // Without a place: the mode comes from `holdfast mode` or `run --mode`.
    profile.mode.emplace();
    profile.mode->value = changed->second;
    profile.mode->text = '"' + std::string(name_of(kModeNames, changed->second)) + '"';
  }
  read.compiled = compile(read.model, text_digest(text.sources));
  return read;
}

}  // namespace holdfast::policy
