// SPDX-License-Identifier: Apache-2.0
// The policy language for other programs: editors, linters, generators of policies.
#ifndef HOLDFAST_POLICY_SCHEMA_H
#define HOLDFAST_POLICY_SCHEMA_H

#include <string>

namespace holdfast::policy {

// A JSON Schema (draft 2020-12) of one policy file, indented, with a newline at the end. It is made
// from policy/keys.def. A file that it refuses is no policy. A file that it accepts can still have a
// mistake that no schema can express: a name that no profile has, a rule that can never match.
[[nodiscard]] std::string policy_schema();

}  // namespace holdfast::policy

#endif  // HOLDFAST_POLICY_SCHEMA_H
