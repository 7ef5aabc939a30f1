// SPDX-License-Identifier: Apache-2.0
// Explains the decision about a request, and finds the smallest change of the policy that would
// reverse it.
#ifndef HOLDFAST_EXPLAIN_WHY_H
#define HOLDFAST_EXPLAIN_WHY_H

#include <optional>
#include <string>

#include "policy/compiled.h"
#include "policy/model.h"

namespace holdfast::policy {

// A changed statement of a profile, and the verdict with it.
struct Change {
  std::string profile;
  std::string key;    // "namespaces.enter", "socket[2]"
  std::string value;  // the new value as TOML; "": the statement is removed
  Span where;         // the place of the statement that it replaces; no file: it is new
  hf_verdict verdict;
};

// Is the operation performed? It is if it is allowed or only audited. A rate limit counts as
// allowed.
[[nodiscard]] bool goes_through(const hf_verdict& verdict);

// Decides `request`, then tries single changes on copies of `model`, which it compiles and decides.
// Returns the first change that reverses goes_through(). The order is: the statement that decided,
// other statements of its profile, statements of other profiles that take part in the request. For
// each statement the closest values come first. Empty: no single change reverses the decision.
[[nodiscard]] std::optional<Change> find_flip(const Model& model, const Compiled& policy,
                                              const hf_request& request);

// The explanation as several lines: the verdict, the rule with its place, and the change.
[[nodiscard]] std::string explain(const Model& model, const Compiled& policy,
                                  const hf_request& request);
// The same as one JSON object without a newline: {"operation","profile","verdict","enforced",
// "reason","text","errno","rule":{…}|null,"change":{"profile","key","value","file","line"}|null}
[[nodiscard]] std::string explain_json(const Model& model, const Compiled& policy,
                                       const hf_request& request);

}  // namespace holdfast::policy

#endif  // HOLDFAST_EXPLAIN_WHY_H
