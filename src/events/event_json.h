// SPDX-License-Identifier: Apache-2.0
// An event as a line of JSON and back.
#ifndef HOLDFAST_EVENTS_EVENT_JSON_H
#define HOLDFAST_EVENTS_EVENT_JSON_H

#include <cstdint>
#include <optional>
#include <set>
#include <string>
#include <string_view>

#include "base/result.h"
#include "events/event_text.h"
#include "policy/compiled.h"

namespace holdfast::policy {

// One JSON object on one line, without a newline. `policy` is the one that decided: profiles,
// labels and rules are written by name and place, so that a reader, or another policy, understands
// them. `paths`: source_path and target_path of a move between cgroups.
[[nodiscard]] std::string event_json(const hf_event& event, const Compiled& policy);
[[nodiscard]] std::string event_json(const hf_event& event, const Compiled& policy,
                                     const EventPaths& paths);

// The reverse. Profiles and labels are looked up by name in `policy`, which need not be the one
// that decided: a profile that it lacks is "no profile", a label value that it does not name is
// "other". Under the same policy the request is rebuilt exactly. Errors (EINVAL): not an event,
// with what is wrong.
[[nodiscard]] Result<hf_event> event_from_json(std::string_view line, const Compiled& policy);

// Only the id of such a line; nothing when it has none.
[[nodiscard]] std::optional<std::uint64_t> event_id(std::string_view line);

// {"file":…,"line":…,"column":…,"key":…,"text":…}, as in events.
[[nodiscard]] std::string rule_json(const Rule& rule);

// The names that requests use. Reading events under a policy of just these names loses nothing.
struct EventNames {
  std::set<std::string> profiles;
  std::set<std::string> label_names;
  std::set<std::string> label_values;
};
// Adds what one such line names; nothing when it is not an event.
void collect_names(std::string_view line, EventNames& names);

// What such a line says of its paths.
[[nodiscard]] EventPaths event_paths(std::string_view line);

}  // namespace holdfast::policy

#endif  // HOLDFAST_EVENTS_EVENT_JSON_H
