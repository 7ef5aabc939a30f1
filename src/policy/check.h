// SPDX-License-Identifier: Apache-2.0
// Checks the parts of a policy against each other, across all its files.
#ifndef HOLDFAST_POLICY_CHECK_H
#define HOLDFAST_POLICY_CHECK_H

#include <vector>

#include "policy/load.h"
#include "policy/model.h"

namespace holdfast::policy {

// Adds a diagnostic for each error.
void check_model(const Model& model, std::vector<Diagnostic>& diagnostics);

}  // namespace holdfast::policy

#endif  // HOLDFAST_POLICY_CHECK_H
