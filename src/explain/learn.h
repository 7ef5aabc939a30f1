// SPDX-License-Identifier: Apache-2.0
// Finds the smallest policy that allows the recorded events.
#ifndef HOLDFAST_EXPLAIN_LEARN_H
#define HOLDFAST_EXPLAIN_LEARN_H

#include <string>
#include <vector>

#include "base/result.h"
#include "events/event_file.h"
#include "events/recorded_event.h"
#include "policy/model.h"
#include "policy/policy_text.h"

namespace holdfast::policy {

// Events with the same facts (RecordedEvent::facts()).
struct RecordedKind {
  std::string line;  // of the first of them
  EventIds ids;
};

// What matters of any number of events. Its size depends on how many kinds of requests there are, not
// on how many events.
struct Recording {
  std::vector<RecordedKind> kinds;  // in the order of their first events
  EventNames names;
  std::vector<PolicyText> policies;  // those in the lines, each once
  std::vector<std::string>
      origins;  // one line for each policy that decided (RecordedEvent::origin())
};

// Errors: those of the source; EINVAL a line is not an event; E2BIG the events have more profiles or
// labels than a policy can have.
[[nodiscard]] Result<Recording> read_recording(const LineSource& lines);

struct Learned {
  std::string toml;                // the policy; comments name the events that need each line
  EventIds never;                  // events that no policy allows: a fact was missing or wrong
  std::vector<std::string> notes;  // what the recording does not tell, a sentence each
};

// Gives every setting of every profile in the events the strictest value that refuses no event.
// `base` provides the facts that events do not contain: cgroups, marks and tracked namespaces. It
// may be empty. `recorders` are the policies that recorded the events (learn_recorded.h); empty: they
// are not known. A profile of cgroups gets no rule that only a run can enforce. Before it returns,
// the function decides the events under the result, which must refuse only those in `never`. Errors:
// EINVAL a line is not an event; E2BIG more profiles or labels than a policy can have; EIO the result
// refuses an event.
[[nodiscard]] Result<Learned> learn(const Recording& recording, const Model& base,
                                    const std::vector<Model>& recorders = {});

}  // namespace holdfast::policy

#endif  // HOLDFAST_EXPLAIN_LEARN_H
