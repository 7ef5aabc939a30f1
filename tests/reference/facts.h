// SPDX-License-Identifier: Apache-2.0
// Requests as words, and verdicts as words.
#ifndef HOLDFAST_TESTS_REFERENCE_FACTS_H
#define HOLDFAST_TESTS_REFERENCE_FACTS_H

#include "policy/compiled.h"
#include "reference/reference.h"

namespace holdfast::reference {

[[nodiscard]] Facts facts_of(const hf_request& request, const policy::Compiled& policy);
[[nodiscard]] Outcome outcome_of(const hf_verdict& verdict, const policy::Compiled& policy);

}  // namespace holdfast::reference

#endif  // HOLDFAST_TESTS_REFERENCE_FACTS_H
