// SPDX-License-Identifier: Apache-2.0
// Whose keys, and which of them, a request can matter to.
#ifndef HOLDFAST_EXPLAIN_SUBJECTS_H
#define HOLDFAST_EXPLAIN_SUBJECTS_H

#include <cstdint>
#include <set>
#include <vector>

#include "core/abi.h"
#include "policy/keys.h"

namespace holdfast::policy {

// Keys about `about` of these profiles. Number 0 among them: there may be no such profile.
struct Subjects {
  About about;
  std::set<std::uint16_t> profiles;
};

// Empty: no key that `why` or `learn` could change has a part in such a request.
[[nodiscard]] std::vector<Subjects> subjects_of(const hf_request& request);

}  // namespace holdfast::policy

#endif  // HOLDFAST_EXPLAIN_SUBJECTS_H
