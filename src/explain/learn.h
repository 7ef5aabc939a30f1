// SPDX-License-Identifier: Apache-2.0
// Finds the smallest policy that allows the recorded events.
#ifndef HOLDFAST_EXPLAIN_LEARN_H
#define HOLDFAST_EXPLAIN_LEARN_H

#include <cstdint>
#include <string>
#include <vector>

#include "base/result.h"
#include "policy/model.h"

namespace holdfast::policy {

struct Learned {
  std::string toml;                  // the policy; comments name the events that need each line
  std::vector<std::uint64_t> never;  // events that no policy allows: a fact was missing or wrong
  std::vector<std::string> notes;    // what the recording does not tell, a sentence each
};

// Gives every setting of every profile in the events the strictest value that refuses no event.
// `base` provides the facts that events do not contain: cgroups, marks and tracked namespaces. It
// may be empty. `recorders` are the policies that recorded the events (learn_recorded.h); empty: they
// are not known. A profile of cgroups gets no rule that only a run can enforce. Before it returns, the function replays the lines under the result, which must
// refuse only the events in `never`. Errors: EINVAL a line is not an event; E2BIG more profiles or
// labels than a policy can have; EIO the replay failed.
[[nodiscard]] Result<Learned> learn(const std::vector<std::string>& lines, const Model& base,
                                    const std::vector<Model>& recorders = {});

}  // namespace holdfast::policy

#endif  // HOLDFAST_EXPLAIN_LEARN_H
