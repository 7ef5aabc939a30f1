// SPDX-License-Identifier: Apache-2.0
// Runs the tests of a policy: each [[test]] states a request and the decision that it expects.
#ifndef HOLDFAST_EXPLAIN_POLICY_TEST_H
#define HOLDFAST_EXPLAIN_POLICY_TEST_H

#include <string>
#include <vector>

#include "policy/compiled.h"
#include "policy/model.h"

namespace holdfast::policy {

// One request of one test.
struct TestOutcome {
  Span where;           // of the request
  std::string name;     // of the test; may be empty
  std::string request;  // as written
  bool passed = false;
  bool broken = false;  // the request is wrong, and nothing was decided
  std::string mistake;  // why it did not pass: "expected deny, got allow: nothing forbids it"
  Rule decided;         // the rule that decided; without a place: none did
};

struct TestReport {
  std::vector<TestOutcome> outcomes;
  std::vector<Rule> unreached;  // the rules that decided no request, in the order of the policy
  std::size_t rules = 0;        // the number of rules that a request can reach
};

// The mode of a profile does not matter: "deny" is also what audit only reports. `model` and
// `policy` are of the same text.
[[nodiscard]] TestReport run_policy_tests(const Model& model, const Compiled& policy);

}  // namespace holdfast::policy

#endif  // HOLDFAST_EXPLAIN_POLICY_TEST_H
