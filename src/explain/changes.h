// SPDX-License-Identifier: Apache-2.0
// Single changes of a policy: what a person with an editor might try first.
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
  std::string value;  // "" when the statement is removed
  Span where;         // of the statement it replaces
  std::function<void(Profile&)> apply;
};

// Which way the verdict should go.
enum class Direction { loosen, tighten };

// The changes of one profile that could matter to `request`, smallest first: of a list one word
// more or less, of a setting the next value that is looser or stricter. `mover` names the acting
// task's profile, "" for none.
[[nodiscard]] std::vector<Candidate> changes_of(const Profile& profile, std::size_t index,
                                                const hf_request& request, const std::string& mover,
                                                Direction direction);

}  // namespace holdfast::policy

#endif  // HOLDFAST_EXPLAIN_CHANGES_H
