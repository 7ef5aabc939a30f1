// SPDX-License-Identifier: Apache-2.0
// The summary of a run: the backend, the number of decisions, the rules that decided, and how
// strongly each kind of rule is enforced.
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
  std::string passed_over;  // why a stronger backend was not used; empty: there is none
  backend::Totals totals;
  const std::map<std::uint32_t, RuleHits>& hits;
  std::vector<backend::Promise> promises;
  std::uint64_t shown = 0;  // refusals that have a line of their own already
};

// The kinds of rules that the profile has.
[[nodiscard]] std::vector<backend::RuleKind> stated_rules(const policy::Compiled& policy,
                                                          std::uint16_t profile);

// Several lines, each ending in a newline.
[[nodiscard]] std::string render(const Summary& summary, policy::Colour colour);

// What has to be said without being asked for. One line counts the refusals, if some have no line
// of their own yet. Another one names the stated rules that this backend does not enforce at all.
// Empty: there is nothing of that kind.
[[nodiscard]] std::string render_short(const Summary& summary, policy::Colour colour);

}  // namespace holdfast::run

#endif  // HOLDFAST_RUN_SUMMARY_H
