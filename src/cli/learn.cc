// SPDX-License-Identifier: Apache-2.0
// `holdfast learn`: prints the smallest policy that allows the recorded events.
#include "explain/learn.h"

#include <fmt/core.h>

#include "cli/commands.h"
#include "cli/load_policy.h"
#include "events/event_file.h"
#include "policy/parse.h"

namespace holdfast::cli {

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
  const auto learned = policy::learn(*lines, base.model);
  if (!learned) return complain(wrap(learned.error(), options.events));
  fmt::print("{}", learned->toml);
  if (learned->never.empty()) return kExitOk;
  fmt::print(stderr, "holdfast learn: no policy allows {}: the facts were missing or wrong\n",
             policy::event_list(learned->never));
  return kExitFailed;
}

}  // namespace holdfast::cli
