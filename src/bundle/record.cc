// SPDX-License-Identifier: Apache-2.0
// The record of bundles as JSON. A record that is not wholly of the format is damaged: a missing
// field must not make an older bundle acceptable.
#include <algorithm>
#include <nlohmann/json.hpp>

#include "base/base64.h"
#include "bundle/machine.h"

namespace holdfast::bundle {
namespace {

using Json = nlohmann::ordered_json;

constexpr unsigned kVersion = 1;

Json files_json(const std::vector<Applied>& files) {
  Json json = Json::array();
  for (const Applied& file : files) json.push_back({{"path", file.path}, {"sha256", file.sha256}});
  return json;
}

Json current_json(const std::optional<Current>& current) {
  if (!current) return {};
  return {{"name", current->name},
          {"digest", current->digest},
          {"key", current->key},
          {"checks", current->checks},
          {"files", files_json(current->files)},
          {"policy", current->policy}};
}

// The readers use at(), whose exceptions record_from_json() catches.
std::vector<Applied> files_from(const Json& json) {
  std::vector<Applied> files;
  for (const Json& file : json)
    files.push_back({file.at("path").get<std::string>(), file.at("sha256").get<std::string>()});
  return files;
}

std::optional<Current> current_from(const Json& json) {
  if (json.is_null()) return std::nullopt;
  return Current{
      json.at("name").get<std::string>(), json.at("digest").get<std::string>(),
      json.at("key").get<std::string>(),  json.at("checks").get<std::vector<std::string>>(),
      files_from(json.at("files")),       json.at("policy").get<std::string>()};
}

bool has_good_paths(const std::vector<Applied>& files) {
  return std::ranges::all_of(files, is_policy_path, &Applied::path);
}

bool is_good(const std::optional<Current>& current) {
  return !current || (Name::parse(current->name) && has_good_paths(current->files));
}

bool is_good(const Record& record) {
  return is_good(record.current) && is_good(record.previous) && has_good_paths(record.to_rename) &&
         std::ranges::all_of(record.before, is_policy_path, &Record::Before::path) &&
         std::ranges::all_of(record.to_remove, is_policy_path) &&
         (record.newest.empty() || Name::parse(record.newest));
}

}  // namespace

std::string record_json(const Record& record) {
  Json before = Json::array();
  for (const Record::Before& file : record.before)
    before.push_back(
        {{"path", file.path}, {"text", file.text ? Json(to_base64(*file.text)) : Json()}});
  const Json json = {{"version", kVersion},
                     {"current", current_json(record.current)},
                     {"previous", current_json(record.previous)},
                     {"before", std::move(before)},
                     {"can_revert", record.can_revert},
                     {"newest", record.newest},
                     {"to_rename", files_json(record.to_rename)},
                     {"to_remove", record.to_remove}};
  return json.dump(-1, ' ', false, Json::error_handler_t::replace) + "\n";
}

std::optional<Record> record_from_json(std::string_view text) {
  try {
    const Json json = Json::parse(text);
    if (json.at("version").get<unsigned>() != kVersion) return std::nullopt;
    Record record;
    record.current = current_from(json.at("current"));
    record.previous = current_from(json.at("previous"));
    for (const Json& file : json.at("before")) {
      const Json& kept = file.at("text");
      auto bytes = kept.is_null() ? std::nullopt : from_base64(kept.get<std::string>());
      if (!kept.is_null() && !bytes) return std::nullopt;
      record.before.push_back({file.at("path").get<std::string>(), std::move(bytes)});
    }
    record.can_revert = json.at("can_revert").get<bool>();
    record.newest = json.at("newest").get<std::string>();
    record.to_rename = files_from(json.at("to_rename"));
    record.to_remove = json.at("to_remove").get<std::vector<std::string>>();
    return is_good(record) ? std::optional(std::move(record)) : std::nullopt;
  } catch (const Json::exception&) {
    return std::nullopt;
  }
}

}  // namespace holdfast::bundle
