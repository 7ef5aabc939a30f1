// SPDX-License-Identifier: Apache-2.0
// Combines the files of a policy to one model.
//
// A file and the drop-ins that follow it are one unit. In a unit, a later file overrides the keys of
// an earlier one, also `mode` and `log` at the top. Socket rules of a drop-in come before the others;
// an empty list removes the others.
//
// Several units may state the same profile, but not the same key of it, except for the same cgroups:
// a file may define a profile that a shared file defines too. `mode` and `log` at the top
// of a unit apply to its profiles that state none in any unit.
#ifndef HOLDFAST_POLICY_MERGE_H
#define HOLDFAST_POLICY_MERGE_H

#include <vector>

#include "policy/load.h"
#include "policy/model.h"

namespace holdfast::policy {

// Adds the profiles and tests of `files` to the model, and a diagnostic for each key that two units
// state.
void merge_files(std::vector<FileModel> files, Model& model, std::vector<Diagnostic>& diagnostics);

}  // namespace holdfast::policy

#endif  // HOLDFAST_POLICY_MERGE_H
