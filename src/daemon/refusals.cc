// SPDX-License-Identifier: Apache-2.0
#include "daemon/refusals.h"

#include <fmt/core.h>

#include <array>
#include <nlohmann/json.hpp>
#include <string_view>

#include "policy/event_text.h"

namespace holdfast::daemon {

namespace {

struct What {
  std::string_view word;
  std::string_view text;
};

constexpr std::array<What, HF_GUARD_COUNT> kWhat = {{
    {"unknown", "an attempt on holdfast"},
    {"by-id", "a program, map or link of holdfast by its id"},
    {"map", "a map of holdfast"},
    {"program", "a program of holdfast"},
    {"pin", "a change of holdfast's pins"},
    {"umount", "unmounting holdfast's pins"},
    {"signal", "a signal to holdfastd"},
    {"trace", "tracing holdfastd"},
    {"limit", "limits of holdfastd"},
    {"sysctl", "a write to kernel.ftrace_enabled"},
    {"files", "a change of the policy's files or holdfastd's state"},
    {"mount", "mounting over holdfast's files"},
}};

const What& what_of(const hf_guard_event& event) {
  return kWhat[event.what < kWhat.size() ? event.what : 0];
}

}  // namespace

std::string_view refusal_word(const hf_guard_event& event) { return what_of(event).word; }

std::string refusal_text(const hf_guard_event& event) {
  return fmt::format("denied  {} ({}) by {}[{}]", what_of(event).text, event.detail,
                     policy::escape(policy::comm_of(event.actor)), event.actor.pid);
}

std::string refusal_json(const hf_guard_event& event) {
  nlohmann::ordered_json json = {{"version", 1},
                                 {"guard", what_of(event).word},
                                 {"detail", event.detail},
                                 {"time_ns", event.time_ns},
                                 {"verdict", "deny"},
                                 {"enforced", true},
                                 {"errno", "EPERM"},
                                 {"pid", event.actor.tgid},
                                 {"tid", event.actor.pid},
                                 {"uid", event.actor.uid},
                                 {"comm", policy::comm_of(event.actor)}};
  return json.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
}

}  // namespace holdfast::daemon
