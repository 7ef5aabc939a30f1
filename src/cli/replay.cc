// SPDX-License-Identifier: Apache-2.0
// `holdfast replay`: lists the recorded decisions that another policy would change.
#include "explain/replay.h"

#include <fmt/core.h>

#include "cli/commands.h"
#include "cli/load_policy.h"
#include "cli/read_events.h"

namespace holdfast::cli {

int replay(const ReplayOptions& options) {
  const auto policy = load_policy(options.policies);
  if (!policy) return kExitUsage;
  const auto complain = [](const Error& error) {
    fmt::print(stderr, "holdfast replay: {}\n", error.message());
    return kExitUsage;
  };
  const auto replayed = [&] {
    Progress progress("replay", options.progress);
    return read_events(options.events, progress, [&policy](const policy::LineSource& lines) {
      return policy::replay(lines, *policy);
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
