// SPDX-License-Identifier: Apache-2.0
// Decides recorded events again, under another policy.
#ifndef HOLDFAST_EXPLAIN_REPLAY_H
#define HOLDFAST_EXPLAIN_REPLAY_H

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/result.h"
#include "events/event_file.h"
#include "events/recorded_event.h"
#include "policy/compiled.h"

namespace holdfast::policy {

// Events with equal facts and equal recorded verdicts. As in RecordedEvent::facts(), the numbers of
// sandboxes count only by which of them are equal.
struct Replayed {
  hf_event event;  // the first of them, read under the new policy; `verdict` is the recorded one
  hf_verdict now;  // the verdict of the new policy
  std::optional<Rule> rule;  // the rule that decided, as recorded
  EventIds ids;
  std::uint64_t decisions = 0;  // the number of decisions that these events stand for
};

struct Replay {
  std::vector<Replayed> different;  // in the order of their first events
  std::uint64_t decisions = 0;      // all that could be decided again
  std::uint64_t differing = 0;
  std::uint64_t unknown = 0;  // further decisions, of which the events have only the number
};

// Do the two verdicts have different effects on the operation, or on its report?
[[nodiscard]] bool differ(const hf_verdict& was, const hf_verdict& now);

// The event as this policy sees it. Profiles and labels are looked up by name. The profiles of a
// cgroup are determined again if the event has its path. Errors: EINVAL the line is not an event.
[[nodiscard]] Result<hf_event> event_under(const RecordedEvent& recorded, const Compiled& policy);

// Decides each event as event_under() reads it. Reads only the lines with decisions, once. Errors:
// those of the source; EINVAL a line is not an event.
[[nodiscard]] Result<Replay> replay(const LineSource& lines, const Compiled& policy);

// One line, without a newline:
//   denied -> allowed  setns(net) by nsenter[17]: nothing forbids it   events 3, 5   was p.toml:4:1
//   namespaces.enter = "none"
[[nodiscard]] std::string replayed_text(const Replayed& replayed, const Compiled& policy);

// One line without a newline:
// {"ids":[3,5],"events":2,"decisions":2,"was":"denied","now":"allowed","event":{…},"was_rule":{…}}
// "ids" are the smallest ones, at most EventIds::kKept. "event" is the first event as the new policy would report it. "was_rule" is the recorded rule, if
// there is one.
[[nodiscard]] std::string replayed_json(const Replayed& replayed, const Compiled& policy);

}  // namespace holdfast::policy

#endif  // HOLDFAST_EXPLAIN_REPLAY_H
