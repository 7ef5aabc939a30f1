// SPDX-License-Identifier: Apache-2.0
// What a policy states, one key after the other, for listings and comparisons.
#ifndef HOLDFAST_POLICY_LISTING_H
#define HOLDFAST_POLICY_LISTING_H

#include <string>
#include <string_view>
#include <vector>

#include "policy/model.h"

namespace holdfast::policy {

struct Statement {
  std::string profile;
  std::string key;   // "namespaces.enter", "socket[2]"
  std::string text;  // the value as TOML; of a socket rule the body of an inline table
  Span where;
};

// The statements of all profiles, in the order of policy/keys.def. What a drop-in overrides is not
// among them. A profile without a statement has one with the key "".
[[nodiscard]] std::vector<Statement> statements_of(const Model& model);

// The keys of a socket rule as TOML, with `separator` between them.
[[nodiscard]] std::string socket_rule_text(const SocketRule& rule, std::string_view separator);

}  // namespace holdfast::policy

#endif  // HOLDFAST_POLICY_LISTING_H
