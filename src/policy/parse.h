// SPDX-License-Identifier: Apache-2.0
// From sources to a checked model.
#ifndef HOLDFAST_POLICY_PARSE_H
#define HOLDFAST_POLICY_PARSE_H

#include <vector>

#include "policy/load.h"
#include "policy/model.h"

namespace holdfast::policy {

struct ParseResult {
  Model model;  // may be compiled exactly when diagnostics is empty
  std::vector<Diagnostic> diagnostics;
};

// Pure: no file is touched.
[[nodiscard]] ParseResult parse(const std::vector<Source>& sources);

}  // namespace holdfast::policy

#endif  // HOLDFAST_POLICY_PARSE_H
