// SPDX-License-Identifier: Apache-2.0
// What a run was worth: which backend, how many decisions, which lines of policy, and how far to
// trust it.
#ifndef HOLDFAST_RUN_SUMMARY_H
#define HOLDFAST_RUN_SUMMARY_H

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "backend/backend.h"
#include "events/event_text.h"
#include "policy/compiled.h"
#include "run/report.h"

namespace holdfast::run {

struct Summary {
  const policy::Compiled& policy;
  std::uint16_t profile;
  std::string_view backend;
  std::string passed_over;  // why not a stronger backend
  backend::Totals totals;
  const std::map<std::uint32_t, RuleHits>& hits;
  std::vector<backend::Promise> promises;
};

// Which kinds of rules the profile states.
[[nodiscard]] std::vector<backend::RuleKind> stated_rules(const policy::Compiled& policy,
                                                          std::uint16_t profile);

// Several lines, each ending in a newline.
[[nodiscard]] std::string render(const Summary& summary, policy::Colour colour);

}  // namespace holdfast::run

#endif  // HOLDFAST_RUN_SUMMARY_H
