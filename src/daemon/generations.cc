// SPDX-License-Identifier: Apache-2.0
#include "daemon/generations.h"

#include <fmt/core.h>

#include <algorithm>
#include <charconv>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <system_error>

#include "base/digest.h"
#include "events/json_fields.h"
#include "kernel/files/atomic_file.h"
#include "kernel/files/text_file.h"
#include "policy/policy_text.h"

namespace holdfast::daemon {

namespace {

namespace fs = std::filesystem;
using Json = nlohmann::json;
using policy::number_in;
using policy::text_in;

// The number of texts to keep. They explain the events of a log, and a log of 32 MiB covers a few
// changes of the policy.
constexpr std::size_t kKept = 32;
constexpr char kRecord[] = "life.json";

Json state_json(const LifeState& state) {
  Json json = {{"live", state.live},
               {"confirmed", state.confirmed},
               {"before", state.before},
               {"turned_away", state.turned_away},
               {"staged", state.staged}};
  if (state.deadline)
    json["deadline"] = {{"at_ns", state.deadline->at_ns}, {"boot", state.deadline->boot}};
  return json;
}

// An incomplete deadline counts as none.
std::optional<LifeState> state_of(const Json& json) {
  if (!json.is_object()) return std::nullopt;
  LifeState state;
  state.live = number_in<std::uint64_t>(json, "live");
  state.confirmed = number_in<std::uint64_t>(json, "confirmed");
  state.before = number_in<std::uint64_t>(json, "before");
  state.turned_away = number_in<std::uint64_t>(json, "turned_away");
  state.staged = json.contains("staged") && json["staged"] == true;
  if (json.contains("deadline")) {
    const Json& deadline = json["deadline"];
    if (!deadline.is_object()) return std::nullopt;
    state.deadline =
        Deadline{number_in<std::uint64_t>(deadline, "at_ns"), text_in(deadline, "boot")};
  }
  if (state.live == 0) return std::nullopt;
  return state;
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

Result<void> Generations::save(const Generation& generation) {
  HF_TRY(kernel::make_directories(directory_));
  return kernel::replace_file(
      path_of(generation.number),
      policy::generation_json(generation.number, {generation.sources, generation.modes}));
}

Result<void> Generations::write(const LifeRecord& record) {
  HF_TRY(kernel::make_directories(directory_));
  Json json = {{"version", 1}, {"boot", record.boot}, {"now", state_json(record.now)}};
  if (record.next) json["next"] = state_json(*record.next);
  return kernel::replace_file(directory_ + "/" + kRecord, json.dump());
}

void Generations::remove(std::uint64_t number) {
  std::error_code ignored;  // no record refers to the file
  fs::remove(path_of(number), ignored);
}

void Generations::prune(const std::set<std::uint64_t>& needed) {
  const auto all = numbers();
  for (std::size_t i = 0; i + kKept < all.size(); i++)
    if (!needed.contains(all[i])) remove(all[i]);
}

std::optional<Generation> Generations::load(std::uint64_t number) const {
  if (number == 0) return std::nullopt;
  const auto text = kernel::read_text_file(path_of(number));
  if (!text) return std::nullopt;
  auto kept = policy::generation_from_json(*text, number);
  if (!kept) return std::nullopt;
  return Generation{number, std::move(kept->sources), std::move(kept->modes)};
}

std::optional<LifeRecord> Generations::read() const {
  const auto text = kernel::read_text_file(directory_ + "/" + kRecord);
  if (!text) return std::nullopt;
  const Json json = Json::parse(*text, nullptr, /*allow_exceptions=*/false);
  if (!json.is_object() || number_in<std::uint64_t>(json, "version") != 1 || !json.contains("now"))
    return std::nullopt;
  const auto now = state_of(json["now"]);
  if (!now) return std::nullopt;
  LifeRecord record{*now, std::nullopt, text_in(json, "boot")};
  if (json.contains("next")) record.next = state_of(json["next"]);
  return record;
}

std::uint64_t Generations::newest() const {
  const auto all = numbers();
  return all.empty() ? 0 : all.back();
}

Result<void> MemoryArchive::save(const Generation& generation) {
  texts_[generation.number] = generation;
  return {};
}

Result<void> MemoryArchive::write(const LifeRecord& record) {
  record_ = record;
  return {};
}

void MemoryArchive::prune(const std::set<std::uint64_t>& needed) {
  std::erase_if(texts_, [&](const auto& text) { return !needed.contains(text.first); });
}

std::optional<Generation> MemoryArchive::load(std::uint64_t number) const {
  const auto found = texts_.find(number);
  return found == texts_.end() ? std::nullopt : std::optional(found->second);
}

std::uint64_t MemoryArchive::newest() const { return texts_.empty() ? 0 : texts_.rbegin()->first; }

std::uint64_t digest(const std::vector<policy::Source>& sources) {
  constexpr std::string_view kEnd = "\xff";  // does not occur in UTF-8
  std::uint64_t digest = kDigestStart;
  for (const policy::Source& source : sources)
    for (const std::string_view part :
         {std::string_view(source.name), kEnd, std::string_view(source.text), kEnd})
      digest = digest_of(part, digest);
  return digest;
}

bool same_policy(const Generation& one, const Generation& other) {
  return one.modes == other.modes &&
         std::ranges::equal(one.sources, other.sources,
                            [](const policy::Source& a, const policy::Source& b) {
                              return a.name == b.name && a.text == b.text;
                            });
}

}  // namespace holdfast::daemon
