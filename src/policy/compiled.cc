// SPDX-License-Identifier: Apache-2.0
#include "policy/compiled.h"

#include <fmt/core.h>

#include <algorithm>

namespace holdfast::policy {

std::string Span::place() const { return fmt::format("{}:{}:{}", file, line, column); }

std::optional<std::uint16_t> Compiled::find_profile(std::string_view name) const {
  const auto at = std::find(profiles.begin(), profiles.end(), name);
  if (at == profiles.end()) return std::nullopt;
  return static_cast<std::uint16_t>(at - profiles.begin());
}

}  // namespace holdfast::policy
