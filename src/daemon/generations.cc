// SPDX-License-Identifier: Apache-2.0
#include "daemon/generations.h"

#include <fmt/core.h>

#include <algorithm>
#include <charconv>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <system_error>

#include "base/digest.h"
#include "core/abi.h"
#include "kernel/text_file.h"
#include "kernel/whole_file.h"

namespace holdfast::daemon {

namespace {

namespace fs = std::filesystem;
using Json = nlohmann::json;

constexpr std::size_t kKept = 8;

std::optional<Generation> parse(const std::string& text) {
  const Json json = Json::parse(text, nullptr, /*allow_exceptions=*/false);
  if (!json.is_object() || !json.contains("generation") || !json["generation"].is_number_unsigned())
    return std::nullopt;
  if (!json.contains("sources") || !json["sources"].is_array()) return std::nullopt;
  Generation generation;
  generation.number = json["generation"].get<std::uint64_t>();
  for (const Json& source : json["sources"]) {
    if (!source.is_object() || !source.contains("name") || !source["name"].is_string() ||
        !source.contains("text") || !source["text"].is_string())
      return std::nullopt;
    generation.sources.push_back(
        {source["name"].get<std::string>(), source["text"].get<std::string>()});
  }
  const auto number = [&](const char* key, std::uint64_t& to) {
    if (json.contains(key) && json[key].is_number_unsigned()) to = json[key].get<std::uint64_t>();
  };
  number("previous", generation.previous);
  number("confirm_by", generation.confirm_by);
  number("instead_of", generation.instead_of);
  if (!json.contains("modes") || !json["modes"].is_object()) return generation;
  for (const auto& [profile, mode] : json["modes"].items())
    if (mode.is_string())
      generation.modes[profile] = mode == "audit" ? HF_MODE_AUDIT : HF_MODE_ENFORCE;
  return generation;
}

}  // namespace

std::string Generations::path_of(std::uint64_t number) const {
  return fmt::format("{}/{}.json", directory_, number);
}

std::vector<std::uint64_t> Generations::numbers() const {
  std::vector<std::uint64_t> found;
  std::error_code failed;
  for (fs::directory_iterator at(directory_, failed); !failed && at != fs::directory_iterator();
       at.increment(failed)) {
    const std::string name = at->path().stem().string();
    std::uint64_t number = 0;
    const auto [end, error] = std::from_chars(name.data(), name.data() + name.size(), number);
    if (error == std::errc() && end == name.data() + name.size() &&
        at->path().extension() == ".json")
      found.push_back(number);
  }
  std::sort(found.begin(), found.end());
  return found;
}

Result<void> Generations::save(const Generation& generation) const {
  if (auto made = kernel::make_directories(directory_); !made) return made;
  Json json = {{"generation", generation.number}, {"sources", Json::array()}};
  for (const policy::Source& source : generation.sources)
    json["sources"].push_back({{"name", source.name}, {"text", source.text}});
  json["previous"] = generation.previous;
  json["confirm_by"] = generation.confirm_by;
  json["instead_of"] = generation.instead_of;
  json["modes"] = Json::object();
  for (const auto& [profile, mode] : generation.modes)
    json["modes"][profile] = mode == HF_MODE_AUDIT ? "audit" : "enforce";
  const std::string text = json.dump(-1, ' ', false, Json::error_handler_t::replace);
  if (auto written = kernel::replace_file(path_of(generation.number), text); !written)
    return written;
  const auto all = numbers();
  for (std::size_t i = 0; i + kKept < all.size(); i++) {
    std::error_code ignored;  // one too many does no harm
    fs::remove(path_of(all[i]), ignored);
  }
  return {};
}

std::optional<Generation> Generations::load(std::uint64_t number) const {
  const auto text = kernel::read_text_file(path_of(number));
  if (!text) return std::nullopt;
  return parse(*text);
}

std::optional<Generation> Generations::newest() const {
  const auto all = numbers();
  return all.empty() ? std::nullopt : load(all.back());
}

std::uint64_t digest(const std::vector<policy::Source>& sources) {
  constexpr std::string_view kEnd = "\xff";  // no byte of UTF-8
  std::uint64_t digest = kDigestStart;
  for (const policy::Source& source : sources)
    for (const std::string_view part :
         {std::string_view(source.name), kEnd, std::string_view(source.text), kEnd})
      digest = digest_of(part, digest);
  return digest;
}

}  // namespace holdfast::daemon
