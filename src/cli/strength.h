// SPDX-License-Identifier: Apache-2.0
// How strongly a run with each backend, and holdfastd, would enforce a policy here.
#ifndef HOLDFAST_CLI_STRENGTH_H
#define HOLDFAST_CLI_STRENGTH_H

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "backend/promises.h"
#include "policy/compiled.h"
#include "policy/stated.h"

namespace holdfast::cli {

// Who may enforce the policy here.
struct Column {
  std::string_view title;
  backend::Enforcer enforcer;
  backend::Conditions conditions;
  std::string unavailable;  // why it cannot enforce anything here; empty: it can

  [[nodiscard]] backend::Promise promise(const policy::Compiled& policy,
                                         const policy::StatedRule& rule) const;
};

[[nodiscard]] std::vector<Column> columns_here();

// The weakest promise for a rule of this kind. Empty: the policy has none.
[[nodiscard]] std::optional<backend::Promise> weakest(const Column& column,
                                                      const policy::Compiled& policy,
                                                      const std::vector<policy::StatedRule>& rules,
                                                      backend::RuleKind kind);

}  // namespace holdfast::cli

#endif  // HOLDFAST_CLI_STRENGTH_H
