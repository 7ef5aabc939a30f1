// SPDX-License-Identifier: Apache-2.0
// Chooses the backend of a run.
#ifndef HOLDFAST_RUN_CHOICE_H
#define HOLDFAST_RUN_CHOICE_H

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "backend/backend.h"
#include "base/result.h"
#include "policy/compiled.h"
#include "run/resident_session.h"

namespace holdfast::run {

struct Attached {
  std::unique_ptr<backend::Backend> backend;
  std::unique_ptr<backend::Session> session;
  std::string passed_over;  // why a stronger backend is not used; empty: this is the strongest
};

// `wanted` is "lsm", "supervisor" or "auto". lsm is a session of holdfastd, which is given `policy`; one
// for runs is started if none is there. "auto" tries lsm and then supervisor, and takes the first one
// that opens a session. It skips lsm if an earlier run found that it cannot be used here
// (lsm_memory.h).
// What `spec` borrows has to outlive the session. Errors: those of the wanted backend. For "auto":
// those of the supervisor, with the error of lsm in the detail.
Result<Attached> attach(std::string_view wanted, const backend::SessionSpec& spec,
                        const RunPolicy& policy);

// The texts of the labels that a backend needs besides the tables.
backend::LabelNames label_words(const policy::Compiled& policy, std::uint16_t profile);

}  // namespace holdfast::run

#endif  // HOLDFAST_RUN_CHOICE_H
