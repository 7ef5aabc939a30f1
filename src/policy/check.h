// SPDX-License-Identifier: Apache-2.0
// What must hold between the parts of a policy, across all its files.
#ifndef HOLDFAST_POLICY_CHECK_H
#define HOLDFAST_POLICY_CHECK_H

#include <vector>

#include "policy/load.h"
#include "policy/model.h"

namespace holdfast::policy {

// Adds a diagnostic for each mistake.
void check_model(const Model& model, std::vector<Diagnostic>& diagnostics);

}  // namespace holdfast::policy

#endif  // HOLDFAST_POLICY_CHECK_H
