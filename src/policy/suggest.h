// SPDX-License-Identifier: Apache-2.0
// Suggestions for misspelt names.
#ifndef HOLDFAST_POLICY_SUGGEST_H
#define HOLDFAST_POLICY_SUGGEST_H

#include <string>
#include <string_view>
#include <vector>

#include "policy/enum_names.h"

namespace holdfast::policy {

// "did you mean 'namespaces'?", for the candidate that is closest to `word`. "": none is close.
[[nodiscard]] std::string suggest(std::string_view word,
                                  const std::vector<std::string_view>& candidates);
[[nodiscard]] std::string suggest(std::string_view word, Names candidates);

// The number of edits that turn `a` into `b`. An edit inserts, deletes or replaces one byte, or
// swaps two adjacent bytes.
[[nodiscard]] std::size_t edit_distance(std::string_view a, std::string_view b);

}  // namespace holdfast::policy

#endif  // HOLDFAST_POLICY_SUGGEST_H
