// SPDX-License-Identifier: Apache-2.0
// Files of events, as `holdfast run --events` and holdfastd write them: one JSON object a line.
#ifndef HOLDFAST_POLICY_EVENT_FILE_H
#define HOLDFAST_POLICY_EVENT_FILE_H

#include <cstdint>
#include <string>
#include <vector>

#include "base/result.h"
#include "policy/compiled.h"

namespace holdfast::policy {

// Attempts on the enforcement itself, which no policy decides (refusal.h), or decisions alone.
enum class EventLines { decisions, all };

// The lines, in order; an object that a crash cut off at the very end of the file is left out.
// Errors: the errno of open or read; EFBIG over 1 GiB; EISDIR.
[[nodiscard]] Result<std::vector<std::string>> read_event_lines(
    const std::string& path, EventLines which = EventLines::decisions);

// "events 3, 5, 8 and 4 more". Empty without ids.
[[nodiscard]] std::string event_list(const std::vector<std::uint64_t>& ids);

}  // namespace holdfast::policy

#endif  // HOLDFAST_POLICY_EVENT_FILE_H
