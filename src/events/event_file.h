// SPDX-License-Identifier: Apache-2.0
// Files of events, as `holdfast run --events` and holdfastd write them: one JSON object a line.
#ifndef HOLDFAST_EVENTS_EVENT_FILE_H
#define HOLDFAST_EVENTS_EVENT_FILE_H

#include <cstdint>
#include <string>
#include <vector>

#include "base/result.h"
#include "policy/policy_text.h"

namespace holdfast::policy {

// Also attempts on the enforcement itself, which no policy decides (guard_event.h), and policies; or
// decisions alone.
enum class EventLines { decisions, all };

struct EventFile {
  std::vector<std::string> lines;    // in order
  std::vector<PolicyText> policies;  // that are in the file
};

// With PATH.1, which came before, where that is. An object that a crash cut off at the very end of
// a file is left out. Errors: the errno of open or read; EFBIG over 1 GiB; EISDIR.
[[nodiscard]] Result<EventFile> read_event_file(const std::string& path, EventLines which);
// Only the lines that hold decisions.
[[nodiscard]] Result<std::vector<std::string>> read_event_lines(const std::string& path);

// "events 3, 5, 8 and 4 more". Empty without ids.
[[nodiscard]] std::string event_list(const std::vector<std::uint64_t>& ids);

}  // namespace holdfast::policy

#endif  // HOLDFAST_EVENTS_EVENT_FILE_H
