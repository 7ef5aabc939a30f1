// SPDX-License-Identifier: Apache-2.0
// Cases as data: tests/cases/NAME.cases, policies with requests and what must come of them.
//
//   == policy
//   version = 1
//   …
//   == cases
//   profile=box hook=namespace_install type=net target=host held=own => deny locked 4
//   profile=box hook=namespace_alloc type=net                        => allow default -
//
// After the arrow: the verdict ("deny/audit" when it is only audited), the reason, and the line of
// the policy that is to blame, counted from 1, or "-". Requests are those of explain/request.h.
#ifndef HOLDFAST_TESTS_REFERENCE_CASES_H
#define HOLDFAST_TESTS_REFERENCE_CASES_H

#include <memory>
#include <string>
#include <vector>

#include "base/result.h"
#include "policy/model.h"

namespace holdfast::reference {

struct Case {
  std::string place;       // "anchor.cases:12"
  std::string text;        // the whole line
  std::size_t policy = 0;  // index in CaseFile::policies
  hf_request request;
  std::string verdict;  // "deny", "deny/audit"
  std::string reason;
  std::uint32_t line = 0;  // 0: no line
};

struct CasePolicy {
  policy::Model model;
  std::unique_ptr<const policy::Compiled> compiled;
};

struct CaseFile {
  std::vector<CasePolicy> policies;
  std::vector<Case> cases;
};

// All *.cases of a directory, in order of their names. Errors: a directory or file that cannot be
// read; a policy that is wrong, a request or line that cannot be understood, with its place.
[[nodiscard]] Result<CaseFile> load_cases(const std::string& directory);

// "" when that is what the case expects, else both.
[[nodiscard]] std::string mismatch(const Case& expected, const hf_verdict& verdict,
                                   const policy::Compiled& policy);

}  // namespace holdfast::reference

#endif  // HOLDFAST_TESTS_REFERENCE_CASES_H
