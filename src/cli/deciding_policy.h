// SPDX-License-Identifier: Apache-2.0
// Finds the text of the policy that decided a recorded event.
#ifndef HOLDFAST_CLI_DECIDING_POLICY_H
#define HOLDFAST_CLI_DECIDING_POLICY_H

#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "policy/policy_text.h"

namespace holdfast::cli {

struct DecidingPolicy {
  policy::PolicyText text;
  std::string from;     // "generation 3, as it was"
  std::string warning;  // why this may be another text; empty: this is certainly the text
};

// `line` is the event, `path` the file that contains it, and `policies` are those in that file.
// Searches them first; `run --events` begins a file with its policy. Then searches the generations of
// holdfastd, in the directory of `path` and in /var/lib/holdfast. Last reads the file of the rule.
// Errors: EINVAL the line is not a
// JSON object; ENOENT not found, with the searched places in the detail; those of reading a
// generation.
[[nodiscard]] Result<DecidingPolicy> deciding_policy(
    std::string_view line, const std::vector<policy::PolicyText>& policies,
    const std::string& path);

// The files of the policy that have changed since, as text. Empty: none has.
[[nodiscard]] std::string changed_since(const policy::PolicyText& text);

}  // namespace holdfast::cli

#endif  // HOLDFAST_CLI_DECIDING_POLICY_H
