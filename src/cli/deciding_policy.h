// SPDX-License-Identifier: Apache-2.0
// Finds the text of the policy that decided a recorded event.
#ifndef HOLDFAST_CLI_DECIDING_POLICY_H
#define HOLDFAST_CLI_DECIDING_POLICY_H

#include <string>
#include <string_view>

#include "events/event_file.h"
#include "policy/policy_text.h"

namespace holdfast::cli {

struct DecidingPolicy {
  policy::PolicyText text;
  std::string from;     // "generation 3, as it was"
  std::string warning;  // why this may be another text; empty: this is certainly the text
};

// `line` is the event, `file` the file that contains it, and `path` the path of that file. Searches
// the file itself, which `run --events` begins with the policy. Then searches the generations of
// holdfastd, in the directory of `path` and in /var/lib/holdfast. Last reads the file of the rule.
// Errors: ENOENT not found, with the searched places in the detail; those of reading a generation.
[[nodiscard]] Result<DecidingPolicy> deciding_policy(std::string_view line,
                                                     const policy::EventFile& file,
                                                     const std::string& path);

// The files of the policy that have changed since, as text. Empty: none has.
[[nodiscard]] std::string changed_since(const policy::PolicyText& text);

}  // namespace holdfast::cli

#endif  // HOLDFAST_CLI_DECIDING_POLICY_H
