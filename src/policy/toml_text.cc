// SPDX-License-Identifier: Apache-2.0
#include "policy/toml_text.h"

#include <fmt/core.h>

namespace holdfast::policy {

std::string toml_string(std::string_view text) {
  std::string out = "\"";
  for (const char c : text) {
    if (c == '"' || c == '\\')
      out += fmt::format("\\{}", c);
    else if (static_cast<unsigned char>(c) < 0x20 || c == 0x7f)
      out += fmt::format("\\u{:04X}", static_cast<unsigned>(c));
    else
      out += c;
  }
  return out + '"';
}

std::string toml_key(std::string_view text) {
  constexpr std::string_view kBare =
      "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_-";
  const bool bare = !text.empty() && text.find_first_not_of(kBare) == std::string_view::npos;
  return bare ? std::string(text) : toml_string(text);
}

}  // namespace holdfast::policy
