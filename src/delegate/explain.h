// SPDX-License-Identifier: Apache-2.0
// Explains a delegation set: what its holder may do, what it may not do, and what it can reach
// beyond its container.
#ifndef HOLDFAST_DELEGATE_EXPLAIN_H
#define HOLDFAST_DELEGATE_EXPLAIN_H

#include <string>
#include <vector>

#include "delegate/set.h"

namespace holdfast::delegate {

struct Explanation {
  std::vector<std::string> may;       // "load cgroup_skb and socket_filter programs"
  std::vector<std::string> may_not;   // "load programs of the other 31 types"
  std::vector<std::string> warnings;  // effects beyond the container
  std::vector<std::string> lacking;   // missing rights without which the set is not usable
};

// Pure. The kernel does not limit where a program is attached (BPF_LINK_CREATE checks no token), so
// the warnings depend only on what may be loaded.
[[nodiscard]] Explanation explain(const Set& set, const Vocabulary& vocabulary);

}  // namespace holdfast::delegate

#endif  // HOLDFAST_DELEGATE_EXPLAIN_H
