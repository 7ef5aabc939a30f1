// SPDX-License-Identifier: Apache-2.0
// Generates single changes of a policy, such as a person would try first.
#ifndef HOLDFAST_EXPLAIN_CHANGES_H
#define HOLDFAST_EXPLAIN_CHANGES_H

#include <functional>
#include <string>
#include <vector>

#include "policy/model.h"

namespace holdfast::policy {

struct Candidate {
  std::size_t profile = 0;  // index in Model::profiles
  std::string key;
  std::string value;  // the new value as TOML; "": the statement is removed
  Span where;         // the place of the statement that it replaces
  std::function<void(Profile&)> apply;
};

// The wanted change of the verdict: to allow or to refuse.
enum class Direction { loosen, tighten };

// The changes of one profile that can affect `request`, the smallest first. For a list that is one
// element more or less, for another setting the next looser or stricter value. `index` is that of
// the profile in Model::profiles. `mover` is the name of the acting task's profile; "": it has
// none.
[[nodiscard]] std::vector<Candidate> changes_of(const Profile& profile, std::size_t index,
                                                const hf_request& request, const std::string& mover,
                                                Direction direction);

}  // namespace holdfast::policy

#endif  // HOLDFAST_EXPLAIN_CHANGES_H
