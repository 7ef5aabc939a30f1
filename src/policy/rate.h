// SPDX-License-Identifier: Apache-2.0
// "20/s burst 40"
#ifndef HOLDFAST_POLICY_RATE_H
#define HOLDFAST_POLICY_RATE_H

#include <optional>
#include <string_view>

#include "policy/model.h"

namespace holdfast::policy {

inline constexpr std::uint32_t kMaxRateTokens = 1'000'000;

// "N/s", "N/min" or "N/h", then maybe "burst M"; both numbers from 1 to kMaxRateTokens. Without a
// burst the bucket holds one period's tokens. Nothing when the text is anything else.
[[nodiscard]] std::optional<Rate> parse_rate(std::string_view text);

}  // namespace holdfast::policy

#endif  // HOLDFAST_POLICY_RATE_H
