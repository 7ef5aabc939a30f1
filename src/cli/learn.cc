// SPDX-License-Identifier: Apache-2.0
// `holdfast learn`: prints the smallest policy that allows the recorded events.
#include "explain/learn.h"

#include <fmt/core.h>

#include <nlohmann/json.hpp>

#include "base/printable.h"
#include "cli/commands.h"
#include "cli/deciding_policy.h"
#include "cli/learn_interactively.h"
#include "cli/load_policy.h"
#include "cli/read_events.h"
#include "events/recorded_event.h"
#include "policy/parse.h"

namespace holdfast::cli {
namespace {

using Json = nlohmann::ordered_json;

// The policies that recorded the events, as far as their texts are kept.
std::vector<policy::Model> recorders(const policy::Recording& recording, const std::string& path,
                                     std::vector<std::string>& notes) {
  std::vector<policy::Model> models;
  bool unknown = false;
  for (const std::string& line : recording.origins) {
    const auto deciding = deciding_policy(line, recording.policies, path);
    const auto event = policy::RecordedEvent::parse(line);
    // Without a digest it is not certain that this text recorded the event.
    if (!deciding || !event || event->origin().digest.empty()) {
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

Result<policy::Recording> read_recording_of(const LearnOptions& options) {
  Progress progress("learn", options.progress);
  return read_events(options.events, progress, policy::read_recording);
}

int learn(const LearnOptions& options) {
  if (options.interactive) return learn_interactively(options);
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
  const auto recording = read_recording_of(options);
  if (!recording) return complain(recording.error());
  std::vector<std::string> notes;
  const bool empty = recording->kinds.empty();
  if (empty) notes.emplace_back("there are no events: nothing can be learned from this file");
  const auto recorded_by = recorders(*recording, options.events, notes);
  const auto learned = policy::learn(*recording, base.model, recorded_by);
  if (!learned) return complain(wrap(learned.error(), options.events));
  notes.insert(notes.end(), learned->notes.begin(), learned->notes.end());
  if (options.json) {
    const Json json = {{"toml", learned->toml},
                       {"notes", notes},
                       {"never", learned->never.smallest()},
                       {"never_events", learned->never.count()}};
    fmt::print("{}\n", json.dump(-1, ' ', false, Json::error_handler_t::replace));
  } else {
    fmt::print("{}", learned->toml);
    std::fflush(stdout);
    for (const std::string& note : notes)
      fmt::print(stderr, "holdfast learn: note: {}\n", escape(note));
  }
  if (learned->never.empty()) return empty ? kExitFailed : kExitOk;
  fmt::print(stderr, "holdfast learn: no policy allows {}: the facts were missing or wrong\n",
             policy::event_list(learned->never));
  return kExitFailed;
}

}  // namespace holdfast::cli
