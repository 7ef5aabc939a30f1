// SPDX-License-Identifier: Apache-2.0
// The lines of a policy that holdfastd does not enforce for the whole machine. They are named,
// never passed over: a rule that nobody enforces is worse than none.
#ifndef HOLDFAST_DAEMON_UNENFORCED_H
#define HOLDFAST_DAEMON_UNENFORCED_H

#include <string>
#include <vector>

#include "policy/compiled.h"

namespace holdfast::daemon {

struct UnenforcedRule {
  policy::Span where;
  std::string text;  // "web: namespaces.enter = \"none\""
  std::string why;   // what the backend says about this kind of rule
};

// In order of profiles.
[[nodiscard]] std::vector<UnenforcedRule> unenforced_rules(const policy::Compiled& policy);

}  // namespace holdfast::daemon

#endif  // HOLDFAST_DAEMON_UNENFORCED_H
