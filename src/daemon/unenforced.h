// SPDX-License-Identifier: Apache-2.0
// Finds the rules of a policy that holdfastd does not enforce for the whole machine. They are
// always reported: a rule that is silently not enforced is worse than none.
#ifndef HOLDFAST_DAEMON_UNENFORCED_H
#define HOLDFAST_DAEMON_UNENFORCED_H

#include <string>
#include <vector>

#include "policy/compiled.h"

namespace holdfast::daemon {

struct UnenforcedRule {
  policy::Span where;
  std::string text;  // "web: namespaces.enter = \"none\""
  std::string why;   // the reason, as in backend::Promise
};

// Sorted by profile.
[[nodiscard]] std::vector<UnenforcedRule> unenforced_rules(const policy::Compiled& policy);

}  // namespace holdfast::daemon

#endif  // HOLDFAST_DAEMON_UNENFORCED_H
