// SPDX-License-Identifier: Apache-2.0
// The exact text of a policy, kept so that its events can be explained by it after the files have
// changed: as the first line of `run --events FILE`, and for each generation of holdfastd.
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
  std::map<std::string, std::uint8_t> modes;  // by profile: HF_MODE_* instead of what it states
};

// {"version":1,"policy":{"digest":"…","sources":[{"name":…,"text":…}],"modes":{"web":"audit"}}} on
// one line, without a newline. No event begins so.
inline constexpr std::string_view kPolicyLine = R"({"version":1,"policy":{)";
[[nodiscard]] std::string policy_line(const PolicyText& text);
// Nothing: it is no such line.
[[nodiscard]] std::optional<PolicyText> policy_from_line(std::string_view line);

// {"generation":7,"sources":[…],"modes":{…}}
[[nodiscard]] std::string generation_json(std::uint64_t number, const PolicyText& text);
// Nothing: it is none, or of another number.
[[nodiscard]] std::optional<PolicyText> generation_from_json(std::string_view json,
                                                             std::uint64_t number);

// Compiled, with those modes.
struct ReadPolicy {
  Model model;
  std::unique_ptr<const Compiled> compiled;  // null exactly when diagnostics is not empty
  std::vector<Diagnostic> diagnostics;
};
[[nodiscard]] ReadPolicy read_policy(const PolicyText& text);

}  // namespace holdfast::policy

#endif  // HOLDFAST_POLICY_POLICY_TEXT_H
