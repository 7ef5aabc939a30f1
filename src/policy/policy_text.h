// SPDX-License-Identifier: Apache-2.0
// The exact text of a policy as JSON. It explains events after the policy files have changed.
// `run --events FILE` writes it as the first line, and holdfastd writes it for each generation.
#ifndef HOLDFAST_POLICY_POLICY_TEXT_H
#define HOLDFAST_POLICY_POLICY_TEXT_H

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "policy/load.h"
#include "policy/model.h"

namespace holdfast::policy {

struct PolicyText {
  std::vector<Source> sources;
  std::map<std::string, std::uint8_t> modes;  // by profile: HF_MODE_* in place of its own mode
};

// One line, without a newline. No event begins with kPolicyLine. The format:
// {"version":1,"policy":{"digest":"…","sources":[{"name":…,"text":…}],"modes":{"web":"audit"}}}
inline constexpr std::string_view kPolicyLine = R"({"version":1,"policy":{)";
[[nodiscard]] std::string policy_line(const PolicyText& text);
// Empty: the line is not of that format.
[[nodiscard]] std::optional<PolicyText> policy_from_line(std::string_view line);

// The format is {"generation":7,"sources":[…],"modes":{…}}.
[[nodiscard]] std::string generation_json(std::uint64_t number, const PolicyText& text);
// Empty: the text is not of that format, or its number differs.
[[nodiscard]] std::optional<PolicyText> generation_from_json(std::string_view json,
                                                             std::uint64_t number);

// The compiled policy, with the modes of its text.
struct ReadPolicy {
  Model model;
  std::unique_ptr<const Compiled> compiled;  // null if and only if there are diagnostics
  std::vector<Diagnostic> diagnostics;
};
[[nodiscard]] ReadPolicy read_policy(const PolicyText& text);

}  // namespace holdfast::policy

#endif  // HOLDFAST_POLICY_POLICY_TEXT_H
