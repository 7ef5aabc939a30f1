// SPDX-License-Identifier: Apache-2.0
// Reads from a recorded event which policy decided it.
#ifndef HOLDFAST_EVENTS_EVENT_ORIGIN_H
#define HOLDFAST_EVENTS_EVENT_ORIGIN_H

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "policy/compiled.h"

namespace holdfast::policy {

// Identifies the policy that decided: its generation (0 for `holdfast run`), and the digest of its
// text ("" if the line is of a version without digests).
struct EventOrigin {
  std::uint64_t generation = 0;
  std::string digest;
};
[[nodiscard]] EventOrigin event_origin(std::string_view line);

// The rule that decided, as recorded. Empty: none did.
[[nodiscard]] std::optional<Rule> event_rule(std::string_view line);

// A policy without tables that has just the names of the line. With it the event can be shown as it
// was recorded, without the policy that decided.
[[nodiscard]] Compiled recorded_policy(std::string_view line);

}  // namespace holdfast::policy

#endif  // HOLDFAST_EVENTS_EVENT_ORIGIN_H
