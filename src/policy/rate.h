// SPDX-License-Identifier: Apache-2.0
// Parses rates such as "20/s burst 40".
#ifndef HOLDFAST_POLICY_RATE_H
#define HOLDFAST_POLICY_RATE_H

#include <optional>
#include <string_view>

#include "policy/model.h"

namespace holdfast::policy {

inline constexpr std::uint32_t kMaxRateTokens = 1'000'000;

// "N/s", "N/min" or "N/h", optionally followed by "burst M". Both numbers are from 1 to
// kMaxRateTokens. Without "burst" the bucket holds N tokens. Empty: the text has another format.
[[nodiscard]] std::optional<Rate> parse_rate(std::string_view text);

}  // namespace holdfast::policy

#endif  // HOLDFAST_POLICY_RATE_H
