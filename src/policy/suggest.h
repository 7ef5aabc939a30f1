// SPDX-License-Identifier: Apache-2.0
// "did you mean"
#ifndef HOLDFAST_POLICY_SUGGEST_H
#define HOLDFAST_POLICY_SUGGEST_H

#include <string>
#include <string_view>
#include <vector>

#include "policy/enum_names.h"

namespace holdfast::policy {

// "did you mean 'namespaces'?", for the candidate closest to `word`; "" when none is close enough
// to be meant.
[[nodiscard]] std::string suggest(std::string_view word,
                                  const std::vector<std::string_view>& candidates);
[[nodiscard]] std::string suggest(std::string_view word, Names candidates);

// Insertions, deletions, changes of one byte and swaps of neighbours that make `a` into `b`.
[[nodiscard]] std::size_t edit_distance(std::string_view a, std::string_view b);

}  // namespace holdfast::policy

#endif  // HOLDFAST_POLICY_SUGGEST_H
