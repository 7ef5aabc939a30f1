// SPDX-License-Identifier: Apache-2.0
// Times on a command line.
#ifndef HOLDFAST_CLI_DURATION_H
#define HOLDFAST_CLI_DURATION_H

#include <cstdint>
#include <optional>
#include <string_view>

namespace holdfast::cli {

// "60s", "5min" or "500ms" in milliseconds. nullopt: not a duration, or more than 1000000 units.
[[nodiscard]] std::optional<std::uint64_t> milliseconds(std::string_view text);

}  // namespace holdfast::cli

#endif  // HOLDFAST_CLI_DURATION_H
