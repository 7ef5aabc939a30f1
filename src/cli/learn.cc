// SPDX-License-Identifier: Apache-2.0
// `holdfast learn`: prints the smallest policy that allows the recorded events.
#include "explain/learn.h"

#include <fmt/core.h>

#include <algorithm>
#include <nlohmann/json.hpp>
#include <set>

#include "base/printable.h"
#include "cli/commands.h"
#include "cli/deciding_policy.h"
#include "cli/load_policy.h"
#include "events/event_file.h"
#include "events/event_origin.h"
#include "policy/parse.h"

namespace holdfast::cli {
namespace {

using Json = nlohmann::ordered_json;

// The policies that recorded the events, as far as their texts are kept.
std::vector<policy::Model> recorders(const std::vector<std::string>& lines,
                                     const policy::EventFile& file, const std::string& path,
                                     std::vector<std::string>& notes) {
  std::vector<policy::Model> models;
  std::set<std::string> known;
  bool unknown = false;
  for (const std::string& line : lines) {
    const policy::EventOrigin origin = policy::event_origin(line);
    if (!known.insert(fmt::format("{} {}", origin.generation, origin.digest)).second) continue;
    const auto deciding = deciding_policy(line, file, path);
    // Without a digest it is not certain that this text recorded the event.
    if (!deciding || origin.digest.empty()) {
      unknown = true;
      continue;
    }
    policy::ReadPolicy read = policy::read_policy(deciding->text);
    if (read.compiled) models.push_back(std::move(read.model));
  }
  if (unknown)
    notes.emplace_back(
        "it is not known which policy recorded some of the events: what that policy did not record "
        "may be refused by the proposal");
  return models;
}

}  // namespace

int learn(const LearnOptions& options) {
  const auto complain = [](const Error& error) {
    fmt::print(stderr, "holdfast learn: {}\n", error.message());
    return kExitUsage;
  };
  policy::ParseResult base;
  if (!options.policies.empty()) {
    const auto sources = read_policy_files(options.policies);
    if (sources.empty()) return kExitUsage;
    base = policy::parse(sources);
    for (const policy::Diagnostic& diagnostic : base.diagnostics)
      fmt::print(stderr, "{}", policy::render(diagnostic));
    if (!base.diagnostics.empty()) return kExitUsage;
  }
  const auto lines = policy::read_event_lines(options.events);
  if (!lines) return complain(lines.error());
  const auto file = policy::read_event_file(options.events, policy::EventLines::all);
  if (!file) return complain(file.error());
  std::vector<std::string> notes;
  if (lines->empty()) notes.push_back("there are no events: nothing can be learned from this file");
  const auto recorded_by = recorders(*lines, *file, options.events, notes);
  const auto learned = policy::learn(*lines, base.model, recorded_by);
  if (!learned) return complain(wrap(learned.error(), options.events));
  notes.insert(notes.end(), learned->notes.begin(), learned->notes.end());
  if (options.json) {
    const Json json = {{"toml", learned->toml}, {"notes", notes}, {"never", learned->never}};
    fmt::print("{}\n", json.dump(-1, ' ', false, Json::error_handler_t::replace));
  } else {
    fmt::print("{}", learned->toml);
    std::fflush(stdout);
    for (const std::string& note : notes)
      fmt::print(stderr, "holdfast learn: note: {}\n", escape(note));
  }
  if (learned->never.empty()) return lines->empty() ? kExitFailed : kExitOk;
  fmt::print(stderr, "holdfast learn: no policy allows {}: the facts were missing or wrong\n",
             policy::event_list(learned->never));
  return kExitFailed;
}

}  // namespace holdfast::cli
