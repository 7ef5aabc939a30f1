// SPDX-License-Identifier: Apache-2.0
// The smallest policy that allows what was seen.
#ifndef HOLDFAST_EXPLAIN_LEARN_H
#define HOLDFAST_EXPLAIN_LEARN_H

#include <cstdint>
#include <string>
#include <vector>

#include "base/result.h"
#include "policy/model.h"

namespace holdfast::policy {

struct Learned {
  std::string toml;                  // a policy; each line says which events need it
  std::vector<std::uint64_t> never;  // refused under any policy: a fact was missing or wrong
};

// Every setting of every profile that the events are about gets its strictest value under which no
// event is refused. `base` gives what events do not tell: cgroups, marks, tracked namespaces; it
// may be empty. The result, loaded and replayed over the same lines, refuses none but `never`: that
// is tried before it is returned. Errors: EINVAL a line that is no event; E2BIG more profiles or
// labels than a policy may have; EIO the trial failed.
[[nodiscard]] Result<Learned> learn(const std::vector<std::string>& lines, const Model& base);

}  // namespace holdfast::policy

#endif  // HOLDFAST_EXPLAIN_LEARN_H
