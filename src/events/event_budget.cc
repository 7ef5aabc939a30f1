// SPDX-License-Identifier: Apache-2.0
#include "events/event_budget.h"

#include <fmt/core.h>

namespace holdfast::policy {

std::string budget_kind(const hf_event& event) {
  const hf_verdict& v = event.verdict;
  return fmt::format("{} {} {} {} {} {} {}", event.generation, event.request.op, v.action, v.mode,
                     v.reason, v.rule, v.profile);
}

std::string_view budget_request(const hf_event& event) {
  return {reinterpret_cast<const char*>(&event.request), sizeof(event.request)};
}

}  // namespace holdfast::policy
