// SPDX-License-Identifier: Apache-2.0
// Checks the parts of a policy against each other, across all its files.
#ifndef HOLDFAST_POLICY_CHECK_H
#define HOLDFAST_POLICY_CHECK_H

#include <set>
#include <string>
#include <vector>

#include "policy/load.h"
#include "policy/model.h"

namespace holdfast::policy {

// Adds a diagnostic for each error, and the names of profiles that are not defined to `undefined`,
// if it is not null.
void check_model(const Model& model, std::vector<Diagnostic>& diagnostics,
                 std::set<std::string>* undefined = nullptr);

}  // namespace holdfast::policy

#endif  // HOLDFAST_POLICY_CHECK_H
