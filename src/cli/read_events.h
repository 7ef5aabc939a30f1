// SPDX-License-Identifier: Apache-2.0
// Reads event files for commands, with progress.
#ifndef HOLDFAST_CLI_READ_EVENTS_H
#define HOLDFAST_CLI_READ_EVENTS_H

#include <fmt/core.h>

#include <string>
#include <utility>

#include "base/printable.h"
#include "base/result.h"
#include "cli/progress.h"
#include "events/event_file.h"

namespace holdfast::cli {

// Opens the event file and returns what `use`, a Result, makes of its lines. Says on standard error
// if an incomplete last line was left out. Errors: those of opening, and those of `use`.
template <typename Use>
auto read_events(const std::string& path, Progress& progress, Use use)
    -> decltype(use(policy::LineSource())) {
  HF_TRY_ASSIGN(auto file, policy::EventFileReader::open(
                               path, [&progress](std::uint64_t done, std::uint64_t total) {
                                 progress.show(done, total);
                               }));
  auto result =
      use([&file](const policy::LineSink& sink) -> Result<void> { return file.read(sink); });
  if (result && file.was_cut_off()) {
    progress.erase();
    fmt::print(stderr, "holdfast: {}: the last line is incomplete and was left out\n",
               escape(path));
  }
  return result;
}

}  // namespace holdfast::cli

#endif  // HOLDFAST_CLI_READ_EVENTS_H
