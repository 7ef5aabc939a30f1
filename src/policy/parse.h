// SPDX-License-Identifier: Apache-2.0
// Parses sources to a checked model.
#ifndef HOLDFAST_POLICY_PARSE_H
#define HOLDFAST_POLICY_PARSE_H

#include <set>
#include <string>
#include <vector>

#include "policy/load.h"
#include "policy/model.h"

namespace holdfast::policy {

struct ParseResult {
  Model model;  // can be compiled only if there are no diagnostics
  std::vector<Diagnostic> diagnostics;
  std::set<std::string> undefined;  // profiles that are named and not defined
};

// Parses and checks all sources as one policy. Accesses no file.
[[nodiscard]] ParseResult parse(const std::vector<Source>& sources);

}  // namespace holdfast::policy

#endif  // HOLDFAST_POLICY_PARSE_H
