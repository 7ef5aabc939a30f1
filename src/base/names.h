// SPDX-License-Identifier: Apache-2.0
// Names of enumerators: small constant tables, searched in order.
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
// When a value has several names, the first one is printed.
using Names = std::span<const Name>;

// "": `value` has no name. The result borrows the table.
[[nodiscard]] std::string_view name_of(Names names, std::uint32_t value);
// nullopt: `text` is not in the table.
[[nodiscard]] std::optional<std::uint32_t> value_of(Names names, std::string_view text);

}  // namespace holdfast

#endif  // HOLDFAST_BASE_NAMES_H
