// SPDX-License-Identifier: Apache-2.0
// Reads event files of `holdfast run --events` and holdfastd: one JSON object a line.
#ifndef HOLDFAST_EVENTS_EVENT_FILE_H
#define HOLDFAST_EVENTS_EVENT_FILE_H

#include <cstdint>
#include <string>
#include <vector>

#include "base/result.h"
#include "policy/policy_text.h"

namespace holdfast::policy {

// decisions: only lines with decisions. all: also attacks on the enforcement itself
// (guard_event.h), and policies.
enum class EventLines { decisions, all };

struct EventFile {
  std::vector<std::string> lines;    // in the order of the file
  std::vector<PolicyText> policies;  // the policies in the file
};

// Reads PATH.1, which has older events, if it exists, and then PATH. Leaves out an incomplete last
// line, which a crash can cause. Errors: those of open(2) and read(2); EFBIG over 1 GiB; EISDIR.
[[nodiscard]] Result<EventFile> read_event_file(const std::string& path, EventLines which);
// Reads only the lines with decisions. Errors: as read_event_file().
[[nodiscard]] Result<std::vector<std::string>> read_event_lines(const std::string& path);

// "events 3, 5, 8 and 4 more". "": there are no ids.
[[nodiscard]] std::string event_list(const std::vector<std::uint64_t>& ids);

}  // namespace holdfast::policy

#endif  // HOLDFAST_EVENTS_EVENT_FILE_H
