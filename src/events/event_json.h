// SPDX-License-Identifier: Apache-2.0
// Converts an event to a line of JSON and back. events/recorded_event.h reads more of a line.
#ifndef HOLDFAST_EVENTS_EVENT_JSON_H
#define HOLDFAST_EVENTS_EVENT_JSON_H

#include <string>
#include <string_view>

#include "base/result.h"
#include "events/event_text.h"
#include "policy/compiled.h"

namespace holdfast::policy {

// One JSON object on one line, without a newline. `policy` is the one that decided. Profiles,
// labels and rules are written with their names and places, so that they have a meaning without
// that policy. `paths` become source_path and target_path of a move between cgroups.
[[nodiscard]] std::string event_json(const hf_event& event, const Compiled& policy);
[[nodiscard]] std::string event_json(const hf_event& event, const Compiled& policy,
                                     const EventPaths& paths);

// The reverse of event_json(). Looks up profiles and labels by name in `policy`, which may be
// another policy. A profile that it does not have becomes "no profile", and a label value that it
// does not name becomes "other". With the policy that decided, the request is rebuilt exactly.
// Errors: EINVAL the line is not an event, with the reason in the detail.
[[nodiscard]] Result<hf_event> event_from_json(std::string_view line, const Compiled& policy);

// The format of a rule in an event: {"file":…,"line":…,"column":…,"key":…,"text":…}.
[[nodiscard]] std::string rule_json(const Rule& rule);

}  // namespace holdfast::policy

#endif  // HOLDFAST_EVENTS_EVENT_JSON_H
