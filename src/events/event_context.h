// SPDX-License-Identifier: Apache-2.0
// Adds to an event of holdfastd where and when it happened, so that events of many machines can be
// kept in one place. docs/json.md lists the fields.
#ifndef HOLDFAST_EVENTS_EVENT_CONTEXT_H
#define HOLDFAST_EVENTS_EVENT_CONTEXT_H

#include <cstdint>
#include <string>
#include <string_view>

namespace holdfast::policy {

// The version of the fields of events. Fields are added and never changed, and then it grows.
inline constexpr unsigned kEventSchema = 1;

// An empty string: it is not known, and the field is left out.
struct EventContext {
  std::string machine;         // 32 hexadecimal digits (bundle/identity.h)
  std::string boot;            // /proc/sys/kernel/random/boot_id
  std::uint64_t sequence = 0;  // unique in one boot of one machine; grows, with gaps
  std::uint64_t wall_ns = 0;   // CLOCK_REALTIME of the decision
  std::string policy_name;     // the name of the bundle that the policy was made of
  std::string cgroup;          // of the acting task, when the event is reported
};

// The object with the fields of the context at its end. `json` is one JSON object without newline.
[[nodiscard]] std::string with_context(std::string_view json, const EventContext& context);

// What the path of a cgroup tells. Empty: nothing.
struct CgroupPlace {
  std::string unit;       // the deepest component NAME.service or NAME.scope
  std::string container;  // 64 hexadecimal digits, as container managers name cgroups
};
[[nodiscard]] CgroupPlace place_of_cgroup(std::string_view path);

// "2026-11-28T20:01:45.123456789Z"
[[nodiscard]] std::string utc_text(std::uint64_t wall_ns);

}  // namespace holdfast::policy

#endif  // HOLDFAST_EVENTS_EVENT_CONTEXT_H
