// SPDX-License-Identifier: Apache-2.0
#include "base/names.h"

namespace holdfast {

std::string_view name_of(Names names, std::uint32_t value) {
  for (const Name& name : names) {
    if (name.value == value) return name.text;
  }
  return "";
}

std::optional<std::uint32_t> value_of(Names names, std::string_view text) {
  for (const Name& name : names) {
    if (name.text == text) return name.value;
  }
  return std::nullopt;
}

}  // namespace holdfast
