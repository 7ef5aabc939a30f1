// SPDX-License-Identifier: Apache-2.0
// Which backend holds a run.
#ifndef HOLDFAST_RUN_CHOICE_H
#define HOLDFAST_RUN_CHOICE_H

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "backend/backend.h"
#include "base/result.h"
#include "policy/compiled.h"

namespace holdfast::run {

struct Attached {
  std::unique_ptr<backend::Backend> backend;
  std::unique_ptr<backend::Session> session;
  std::string passed_over;  // why a stronger backend is not used; empty: this is the strongest
};

// `wanted` is "lsm", "supervisor", or "auto": the strongest that is available and proves itself,
// lsm first, but for a profile whose rules about cgroups it would leave unenforced. The
// error of a single backend is its own; for auto it is the last one's, with the other in its
// detail.
Result<Attached> attach(std::string_view wanted, const backend::SessionSpec& spec);

// The words of the policy that a backend needs besides the tables.
backend::LabelNames label_words(const policy::Compiled& policy, std::uint16_t profile);

}  // namespace holdfast::run

#endif  // HOLDFAST_RUN_CHOICE_H
