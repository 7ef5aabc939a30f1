// SPDX-License-Identifier: Apache-2.0
// `holdfast replay`: lists the recorded decisions that another policy would change.
#include "explain/replay.h"

#include <fmt/core.h>

#include "cli/bundle_policy.h"
#include "cli/commands.h"
#include "cli/fleet_events.h"
#include "cli/load_policy.h"
#include "cli/read_events.h"

namespace holdfast::cli {

int replay(const ReplayOptions& options) {
  std::unique_ptr<const policy::Compiled> policy;
  if (options.bundle.empty()) {
    policy = load_policy(options.policies);
  } else {
    auto sources = sources_after(options.bundle, options.trust, options.dirs, options.state_dir);
    if (!sources.empty()) policy = load_sources(std::move(sources)).policy;
  }
  if (!policy) return kExitUsage;
  const auto complain = [](const Error& error) {
    fmt::print(stderr, "holdfast replay: {}\n", error.message());
    return kExitUsage;
  };
  const auto replayed = [&] {
    Progress progress("replay", options.progress);
    const auto use = [&policy](const policy::LineSource& lines) {
      return policy::replay(lines, *policy);
    };
    if (options.from.empty()) return read_events(options.events, progress, use);
    return use([&](const policy::LineSink& sink) {
      return read_fleet_events({options.from, options.machine, options.since, options.until},
                               progress, sink);
    });
  }();
  if (!replayed) return complain(replayed.error());
  for (const policy::Replayed& different : replayed->different)
    fmt::print("{}\n", options.format == "json" ? policy::replayed_json(different, *policy)
                                                : policy::replayed_text(different, *policy));
  if (options.format != "json")
    fmt::print("{} of {} decisions differ\n", replayed->differing, replayed->decisions);
  if (options.format != "json" && replayed->unknown > 0)
    fmt::print("{} more are in the events as a number alone, and cannot be decided again\n",
               replayed->unknown);
  return replayed->different.empty() ? kExitOk : kExitFailed;
}

}  // namespace holdfast::cli
