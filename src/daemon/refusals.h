// SPDX-License-Identifier: Apache-2.0
// Attempts on the enforcement itself, as lines.
#ifndef HOLDFAST_DAEMON_REFUSALS_H
#define HOLDFAST_DAEMON_REFUSALS_H

#include <string>
#include <string_view>

#include "core/guard.h"

namespace holdfast::daemon {

// "signal", "pin", …
[[nodiscard]] std::string_view refusal_word(const hf_guard_event& event);
// "denied  a signal to holdfastd (9) by kill[17]"
[[nodiscard]] std::string refusal_text(const hf_guard_event& event);
// {"version":1,"guard":"signal","detail":9,"verdict":"deny",…}
[[nodiscard]] std::string refusal_json(const hf_guard_event& event);

}  // namespace holdfast::daemon

#endif  // HOLDFAST_DAEMON_REFUSALS_H
