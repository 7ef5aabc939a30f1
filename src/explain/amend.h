// SPDX-License-Identifier: Apache-2.0
// Writes changes of a policy into the text of a file, and keeps the rest of the text.
#ifndef HOLDFAST_EXPLAIN_AMEND_H
#define HOLDFAST_EXPLAIN_AMEND_H

#include <optional>
#include <string>
#include <string_view>

#include "explain/why.h"

namespace holdfast::policy {

// The text with another value for the statement at `where`, which is a place in it: "key = value",
// in one line or several. "": the statement is removed. Empty: there is no such statement.
[[nodiscard]] std::optional<std::string> with_value(std::string_view text, const Span& where,
                                                    std::string_view value);

// The text with "key = value" as the first statement of [profile.NAME], which is added at the end if
// there is none.
[[nodiscard]] std::string with_statement(std::string_view text, std::string_view profile,
                                         std::string_view key, std::string_view value);

// The text with a rule, a [[profile.NAME.socket]] table, before the others of the profile.
[[nodiscard]] std::string with_socket_rule(std::string_view text, std::string_view profile,
                                           std::string_view rule);

// The text of the file `name` with the change. A change of a socket rule becomes a new rule that
// allows the request alone; `names` is the policy that the request was read with. Whether the result
// is a policy, and allows the request, has to be tried.
[[nodiscard]] std::optional<std::string> amended(std::string_view text, const std::string& name,
                                                 const Change& change, const hf_request& request,
                                                 const Compiled& names);

}  // namespace holdfast::policy

#endif  // HOLDFAST_EXPLAIN_AMEND_H
