// SPDX-License-Identifier: Apache-2.0
// Attacks on the enforcement itself, as lines of text and JSON. Every policy refuses them.
#ifndef HOLDFAST_EVENTS_GUARD_EVENT_H
#define HOLDFAST_EVENTS_GUARD_EVENT_H

#include <cstdint>
#include <string>
#include <string_view>

#include "base/result.h"
#include "core/guard.h"
#include "events/event_text.h"

namespace holdfast::policy {

// The name of an HF_GUARD_* value: "signal", "pin", …
[[nodiscard]] std::string_view guard_kind_name(std::uint32_t what);
// The interface by which the kernel would have started a program: "core_pattern", "request-key", …
// "": the event is not about a program of the kernel.
[[nodiscard]] std::string_view helper_name(const hf_guard_event& event);
// "denied  a signal to holdfast (9) by kill[17]  (event 3)"
[[nodiscard]] std::string guard_event_text(const hf_guard_event& event, Colour colour);
// {"version":1,"guard":"signal","id":3,"detail":9,"verdict":"deny",…} without a newline.
[[nodiscard]] std::string guard_event_json(const hf_guard_event& event);

// Was this line of an event file made by guard_event_json()?
[[nodiscard]] bool is_guard_event(std::string_view line);
// The reverse of guard_event_json(). For an unknown name `what` is 0. Errors: EINVAL the line is
// not a guard event.
[[nodiscard]] Result<hf_guard_event> guard_event_from_json(std::string_view line);
// Explains the attack and the reason of the refusal, in several lines.
[[nodiscard]] std::string explain_guard_event(const hf_guard_event& event);

}  // namespace holdfast::policy

#endif  // HOLDFAST_EVENTS_GUARD_EVENT_H
