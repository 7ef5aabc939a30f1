// SPDX-License-Identifier: Apache-2.0
// Which policy decided a recorded event, as it was then.
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
  std::string warning;  // why this may be another text; empty: it is the one
};

// It is looked for in the file of the events itself, which `run --events` begins with it, and among
// the generations of holdfastd, beside the log and in /var/lib/holdfast. Errors: ENOENT it is not
// there any more, with where it was looked for; what reading a generation gave.
[[nodiscard]] Result<DecidingPolicy> deciding_policy(std::string_view line,
                                                     const policy::EventFile& file,
                                                     const std::string& path);

// What has become of its files since, for a reader; empty: they are what they were.
[[nodiscard]] std::string changed_since(const policy::PolicyText& text);

}  // namespace holdfast::cli

#endif  // HOLDFAST_CLI_DECIDING_POLICY_H
