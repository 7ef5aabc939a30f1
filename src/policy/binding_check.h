// SPDX-License-Identifier: Apache-2.0
// Checks the bindings of cgroups and marks to profiles: they are unique, well formed and within
// limits.
#ifndef HOLDFAST_POLICY_BINDING_CHECK_H
#define HOLDFAST_POLICY_BINDING_CHECK_H

#include <vector>

#include "policy/load.h"
#include "policy/model.h"

namespace holdfast::policy {

// Adds a diagnostic for each error.
void check_bindings(const Model& model, std::vector<Diagnostic>& diagnostics);

}  // namespace holdfast::policy

#endif  // HOLDFAST_POLICY_BINDING_CHECK_H
