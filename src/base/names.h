// SPDX-License-Identifier: Apache-2.0
// Words for numbers: small constant tables, searched in order.
#ifndef HOLDFAST_BASE_NAMES_H
#define HOLDFAST_BASE_NAMES_H

#include <cstdint>
#include <optional>
#include <span>
#include <string_view>

namespace holdfast {

struct Name {
  std::uint32_t value;
  std::string_view text;
};
// Where a value has several words, the first is the one to print.
using Names = std::span<const Name>;

// "" when there is no word for it.
[[nodiscard]] std::string_view name_of(Names names, std::uint32_t value);
[[nodiscard]] std::optional<std::uint32_t> value_of(Names names, std::string_view text);

}  // namespace holdfast

#endif  // HOLDFAST_BASE_NAMES_H
