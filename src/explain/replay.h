// SPDX-License-Identifier: Apache-2.0
// What another policy would have decided about events that were recorded.
#ifndef HOLDFAST_EXPLAIN_REPLAY_H
#define HOLDFAST_EXPLAIN_REPLAY_H

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/result.h"
#include "policy/compiled.h"

namespace holdfast::policy {

// Events with the same facts and the same recorded answer.
struct Replayed {
  hf_event event;  // the first of them, read under the new policy; `verdict` is what was recorded
  hf_verdict now;  // what the new policy decides
  std::optional<Rule> rule;  // that decided then, as it was
  std::vector<std::uint64_t> ids;
  std::uint64_t decisions = 0;  // with those that were folded into one event
};

struct Replay {
  std::vector<Replayed> different;  // in order of their first event
  std::uint64_t decisions = 0;      // all
  std::uint64_t differing = 0;
  std::uint64_t unknown = 0;  // besides, of which the events have no more than a number
};

// Do two verdicts do different things to the operation, or report it differently?
[[nodiscard]] bool differ(const hf_verdict& was, const hf_verdict& now);

// Facts are taken as they were recorded, but the profiles that a cgroup lies in are looked up anew
// where the event has its path. Profiles and labels go by name. Errors (EINVAL): a line that is no
// event, by its number.
[[nodiscard]] Result<Replay> replay(const std::vector<std::string>& lines, const Compiled& policy);

// One line, without a newline:
//   denied -> allowed  setns(net) by nsenter[17]: nothing forbids it   events 3, 5   was p.toml:4:1
//   namespaces.enter = "none"
[[nodiscard]] std::string replayed_text(const Replayed& replayed, const Compiled& policy);

// {"ids":[3,5],"decisions":2,"was":"denied","now":"allowed","event":{…},"was_rule":{…}} on one
// line; the event is the first of them as the new policy would report it, and the rule the one that
// was recorded, if one was.
[[nodiscard]] std::string replayed_json(const Replayed& replayed, const Compiled& policy);

}  // namespace holdfast::policy

#endif  // HOLDFAST_EXPLAIN_REPLAY_H
