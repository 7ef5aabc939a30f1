// SPDX-License-Identifier: Apache-2.0
// What a recorded event says of the policy that decided it.
#ifndef HOLDFAST_EVENTS_EVENT_ORIGIN_H
#define HOLDFAST_EVENTS_EVENT_ORIGIN_H

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "policy/compiled.h"

namespace holdfast::policy {

// Which policy decided: its generation, 0 for a run's; and the digest of its text, "" when the line
// is of a version that did not say.
struct EventOrigin {
  std::uint64_t generation = 0;
  std::string digest;
};
[[nodiscard]] EventOrigin event_origin(std::string_view line);

// The line of policy that such a line blames, as it was; nothing when it blames none.
[[nodiscard]] std::optional<Rule> event_rule(std::string_view line);

// Just what such a line names, as a policy without tables: by it the event is told as it was
// recorded, whatever became of the policy.
[[nodiscard]] Compiled recorded_policy(std::string_view line);

}  // namespace holdfast::policy

#endif  // HOLDFAST_EVENTS_EVENT_ORIGIN_H
