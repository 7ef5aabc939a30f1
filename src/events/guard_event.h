// SPDX-License-Identifier: Apache-2.0
// Attempts on the enforcement itself, which are refused whatever the policy says, as lines.
#ifndef HOLDFAST_EVENTS_GUARD_EVENT_H
#define HOLDFAST_EVENTS_GUARD_EVENT_H

#include <cstdint>
#include <string>
#include <string_view>

#include "base/result.h"
#include "core/guard.h"
#include "events/event_text.h"

namespace holdfast::policy {

// The word of an HF_GUARD_*: "signal", "pin", …
[[nodiscard]] std::string_view guard_kind_name(std::uint32_t what);
// What would have had the kernel start a program: "core_pattern", "request-key", … Empty: the event
// is not about that.
[[nodiscard]] std::string_view helper_name(const hf_guard_event& event);
// "denied  a signal to holdfast (9) by kill[17]  (event 3)"
[[nodiscard]] std::string guard_event_text(const hf_guard_event& event, Colour colour);
// {"version":1,"guard":"signal","id":3,"detail":9,"verdict":"deny",…}, without a newline.
[[nodiscard]] std::string guard_event_json(const hf_guard_event& event);

// Is this line, of a file of events, one of guard_event_json()'s?
[[nodiscard]] bool is_guard_event(std::string_view line);
// The reverse of guard_event_json(). A word that this version does not know is no kind (what: 0).
// Errors (EINVAL): not such a line.
[[nodiscard]] Result<hf_guard_event> guard_event_from_json(std::string_view line);
// What was attempted and why no policy lets it through: several lines.
[[nodiscard]] std::string explain_guard_event(const hf_guard_event& event);

}  // namespace holdfast::policy

#endif  // HOLDFAST_EVENTS_GUARD_EVENT_H
