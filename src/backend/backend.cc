// SPDX-License-Identifier: Apache-2.0
#include "backend/backend.h"

namespace holdfast::backend {

std::string_view to_string(Strength strength) {
  switch (strength) {
    case Strength::none:
      return "none";
    case Strength::best_effort:
      return "best-effort";
    case Strength::enforced:
      return "enforced";
  }
  return "none";
}

std::string_view to_string(RuleKind kind) {
  static constexpr std::array<std::string_view, kRuleKindCount> kNames = {
      "namespaces.create",
      "namespaces.enter",
      "namespaces.visitors",
      "trace",
      "cgroups.leave",
      "cgroups.join",
      "cgroups.inside",
      "mark",
      "socket",
      "label",
      "bpf.delegate",
  };
  return kNames[static_cast<std::size_t>(kind)];
}

}  // namespace holdfast::backend
