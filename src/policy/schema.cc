// SPDX-License-Identifier: Apache-2.0
#include "policy/schema.h"

#include <fmt/core.h>

#include <nlohmann/json.hpp>

#include "policy/keys.h"
#include "policy/reader.h"
#include "policy/sessions_table.h"

namespace holdfast::policy {
namespace {

using Json = nlohmann::ordered_json;

Json words_of(Names names) {
  Json words = Json::array();
  for (const Name& name : names) words.push_back(name.text);
  return {{"enum", words}};
}

Json list_of_words(Names names) { return {{"type", "array"}, {"items", words_of(names)}}; }

Json either(Json first, Json second) { return {{"anyOf", {std::move(first), std::move(second)}}}; }

Json words(std::initializer_list<std::string_view> list) {
  Json enumeration = Json::array();
  for (const std::string_view word : list) enumeration.push_back(word);
  return {{"enum", enumeration}};
}

Json profile_names() { return {{"type", "array"}, {"items", {{"$ref", "#/$defs/profile_name"}}}}; }

Json label_name() {
  return {{"type", "string"}, {"pattern", "^user\\.[\\s\\S]"}, {"maxLength", 255}};
}

// Of a label: a value, "*" for any, or false for no such label.
Json label_conditions() {
  return {{"type", "object"},
          {"propertyNames", label_name()},
          {"additionalProperties",
           either({{"type", "string"}, {"maxLength", 255}}, {{"const", false}})},
          {"maxProperties", HF_MAX_LABEL_MATCHES}};
}

Json schema_of(const Key& key);

// A table, of the keys below `path`.
Json table_of(std::string_view path) {
  Json properties = Json::object();
  for (const std::string_view part : parts_below(path)) {
    const std::string name = path.empty() ? std::string(part) : fmt::format("{}.{}", path, part);
    const Key* key = find_key(name);
    properties[part] = key != nullptr ? schema_of(*key) : table_of(name);
  }
  return {{"type", "object"}, {"properties", properties}, {"additionalProperties", false}};
}

Json test_table() {
  const Json text = {{"type", "string"}};
  return {{"type", "object"},
          {"properties",
           {{"name", text},
            {"request", either(text, {{"type", "array"}, {"items", text}, {"minItems", 1}})},
            {"expect", words({"allow", "deny", "lock", "limit"})},
            {"line", text}}},
          {"required", {"request", "expect"}},
          {"additionalProperties", false}};
}

Json sessions_table() {
  const Json user = either({{"type", "integer"}, {"minimum", 1}, {"maximum", 0xfffffffe}},
                           {{"type", "string"}, {"pattern", "^(@|(?![0-9]+$))[^:@/\\s]+$"}});
  Json properties = {{"users", {{"type", "array"}, {"items", user}, {"default", Json::array()}}}};
  for (const SessionQuota& quota : kSessionQuotas)
    properties[quota.name] = {{"type", "integer"},
                              {"minimum", 1},
                              {"maximum", quota.most},
                              {"default", SessionRules().*quota.value}};
  return {{"type", "object"}, {"properties", properties}, {"additionalProperties", false}};
}

Json socket_rule() {
  Json rule = table_of("socket");
  rule["required"] = {"on"};
  rule["oneOf"] = {{{"required", {"verdict"}}}, {{"required", {"rate"}}}};
  return rule;
}

Json value_of_type(const Key& key) {
  return std::visit(
      ByType{
          [](const WordKey& t) { return words_of(t.words); },
          [](const TypesKey&) {
            return either(words({"any", "none"}), list_of_words(kNsTypeNames));
          },
          [](const FlagKey&) {
            return Json{{"type", "boolean"}};
          },
          [](const LabelFlagKey&) {
            return Json{{"type", "boolean"}};
          },
          [](const MoversKey&) {
            return either(words({"any", "none"}), profile_names());
          },
          [](const InsideKey&) {
            return either(words({"any", "none", "delegated"}), profile_names());
          },
          [](const BpfMaskKey& t) { return either(words({"any"}), list_of_words(t.names)); },
          [](const CountKey&) {
            return Json{{"type", "integer"}, {"minimum", 0}, {"maximum", kMaxCount}};
          },
          [](const BytesKey&) {
            return either({{"type", "integer"}, {"minimum", 0}, {"maximum", kMaxBytes}},
                          {{"type", "string"}, {"pattern", "^[0-9]+[KMG]$"}});
          },
          [](const LabelNamesKey&) {
            return Json{{"type", "array"}, {"items", label_name()}};
          },
          [](const MarkNameKey&) {
            return Json{{"type", "string"},
                        {"pattern", "^(user|trusted)\\.[\\s\\S]*[^.]$"},
                        {"maxLength", 255}};
          },
          [](const RuntimesKey&) {
            const Json name = {{"type", "string"}, {"pattern", "^[^/]+$"}};
            return either({{"type", "boolean"}},
                          {{"type", "array"}, {"items", name}, {"minItems", 1}});
          },
          [](const PathsKey&) {
            const Json path = {{"type", "string"}, {"pattern", "^/"}};
            return either(path, {{"type", "array"}, {"items", path}, {"minItems", 1}});
          },
          [](const UnitsKey&) {
            const Json unit = {{"type", "string"}, {"pattern", "\\.(service|scope|slice)$"}};
            return either(unit, {{"type", "array"}, {"items", unit}, {"minItems", 1}});
          },
          [](const SocketRulesKey&) {
            return Json{{"type", "array"}, {"items", socket_rule()}};
          },
          [](const SocketWordsKey& t) {
            Json list = list_of_words(t.words);
            list["minItems"] = 1;
            return list;
          },
          [](const SocketLabelsKey&) { return label_conditions(); },
          [](const SocketWordKey& t) { return words_of(t.words); },
          [](const SocketRateKey&) {
            return Json{{"type", "string"},
                        {"pattern", "^[0-9]+/(s|min|h)( +| +burst +[0-9]+ *)?$"}};
          },
      },
      key.type);
}

Json schema_of(const Key& key) {
  Json schema = value_of_type(key);
  if (key.fallback.empty()) return schema;
  Json fallback = Json::parse(key.fallback, nullptr, /*allow_exceptions=*/false);
  schema["default"] = fallback.is_discarded() ? Json(key.fallback) : fallback;
  return schema;
}

}  // namespace

std::string policy_schema() {
  Json reserved = Json::array();
  for (const std::string_view word : kReservedProfileNames) reserved.push_back(word);
  const Json version = {{"const", 1}};
  const Json profiles = {
      {"type", "object"},
      {"propertyNames",
       {{"pattern", fmt::format("^[A-Za-z0-9_.@:-]{{1,{}}}$", kMaxProfileNameBytes)},
        {"not", {{"enum", reserved}}}}},
      {"additionalProperties", {{"$ref", "#/$defs/profile"}}}};
  const Json schema = {
      {"$schema", "https://json-schema.org/draft/2020-12/schema"},
      {"title", "A policy of holdfast"},
      {"type", "object"},
      {"properties",
       {{"version", version},
        {"mode", schema_of(*find_key("mode"))},
        {"log", schema_of(*find_key("log"))},
        {"sessions", sessions_table()},
        {"profile", profiles},
        {"test", {{"type", "array"}, {"items", test_table()}}}}},
      {"required", {"version"}},
      {"additionalProperties", false},
      {"$defs", {{"profile_name", {{"type", "string"}}}, {"profile", table_of("")}}}};
  return schema.dump(2) + "\n";
}

}  // namespace holdfast::policy
