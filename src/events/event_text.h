// SPDX-License-Identifier: Apache-2.0
// Renders an event as a line of text.
#ifndef HOLDFAST_EVENTS_EVENT_TEXT_H
#define HOLDFAST_EVENTS_EVENT_TEXT_H

#include <cstdint>
#include <string>
#include <string_view>

#include "policy/compiled.h"

namespace holdfast::policy {

enum class Colour { off, on };

// The paths of the two cgroups of a move. Empty: unknown, or the cgroup is gone.
struct EventPaths {
  std::string source;
  std::string target;
};

// One line, without a newline:
//   denied  setns(net) by nsenter[1234]: locked into this sandbox   p.toml:7:1 namespaces.enter =
//   "lock"  (event 3)
[[nodiscard]] std::string event_text(const hf_event& event, const Compiled& policy, Colour colour);
// The same, with "  /web -> /free" at the end if the event is a move between cgroups.
[[nodiscard]] std::string event_text(const hf_event& event, const Compiled& policy, Colour colour,
                                     const EventPaths& paths);

// The start of event_text(), "denied", and its end, "  (event 3, 2 more like it)".
[[nodiscard]] std::string action_text(const hf_verdict& verdict, Colour colour);
[[nodiscard]] std::string event_tail(std::uint64_t id, std::uint64_t repeats, Colour colour);

// The command name of a task, without NUL bytes. Borrows the task.
[[nodiscard]] std::string_view comm_of(const hf_task& task);

// The operation of a request: "setns(net)", "connect(unix)", "bpf_map(hash)".
[[nodiscard]] std::string describe_operation(const hf_request& request);

// "denied", "would deny", "allowed", "locked", "limited"
[[nodiscard]] std::string_view describe_action(const hf_verdict& verdict);

}  // namespace holdfast::policy

#endif  // HOLDFAST_EVENTS_EVENT_TEXT_H
