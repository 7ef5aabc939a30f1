// SPDX-License-Identifier: Apache-2.0
// What a delegation set means, for a reader: what its holder may do, what not, and how far that
// reaches.
#ifndef HOLDFAST_DELEGATE_EXPLAIN_H
#define HOLDFAST_DELEGATE_EXPLAIN_H

#include <string>
#include <vector>

#include "delegate/set.h"

namespace holdfast::delegate {

struct Explanation {
  std::vector<std::string> may;       // "load cgroup_skb and socket_filter programs"
  std::vector<std::string> may_not;   // "load programs of the other 31 types"
  std::vector<std::string> warnings;  // what reaches beyond the container
  std::vector<std::string> lacking;   // why what is delegated cannot be used as it is
};

// Pure. The kernel does not confine where a program is attached (BPF_LINK_CREATE looks at no
// token), so warnings follow from what can be loaded alone.
[[nodiscard]] Explanation explain(const Set& set, const Vocabulary& vocabulary);

}  // namespace holdfast::delegate

#endif  // HOLDFAST_DELEGATE_EXPLAIN_H
