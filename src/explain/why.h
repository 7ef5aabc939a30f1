// SPDX-License-Identifier: Apache-2.0
// Why a request is decided as it is, and the smallest change of the policy that would decide it
// otherwise.
#ifndef HOLDFAST_EXPLAIN_WHY_H
#define HOLDFAST_EXPLAIN_WHY_H

#include <optional>
#include <string>

#include "policy/compiled.h"
#include "policy/model.h"

namespace holdfast::policy {

// One statement of a profile, and the verdict with it.
struct Change {
  std::string profile;
  std::string key;    // "namespaces.enter", "socket[2]"
  std::string value;  // the new value; "" when the statement is removed
  Span where;         // of the statement it replaces; no file when it is a new one
  hf_verdict verdict;
};

// Does the operation go through: not refused, or only audited? A rate lets through what it has
// tokens for.
[[nodiscard]] bool goes_through(const hf_verdict& verdict);

// Decides `request`, then tries single changes on copies of `model`, compiled and decided in
// earnest, and returns the first that flips goes_through(). Tried in this order: the statement to
// blame, statements of the same profile, then of the others that have a part in the request; of
// each, values that are closest first. Nothing when no single statement does.
[[nodiscard]] std::optional<Change> find_flip(const Model& model, const Compiled& policy,
                                              const hf_request& request);

// The whole answer, several lines: verdict, rule with its place, change.
[[nodiscard]] std::string explain(const Model& model, const Compiled& policy,
                                  const hf_request& request);

}  // namespace holdfast::policy

#endif  // HOLDFAST_EXPLAIN_WHY_H
