// SPDX-License-Identifier: Apache-2.0
// Base64 of RFC 4648, with padding.
#ifndef HOLDFAST_BASE_BASE64_H
#define HOLDFAST_BASE_BASE64_H

#include <optional>
#include <string>
#include <string_view>

namespace holdfast {

[[nodiscard]] std::string to_base64(std::string_view bytes);
// nullopt: `text` is not canonical base64 (wrong length, a foreign character, stray bits at the
// end).
[[nodiscard]] std::optional<std::string> from_base64(std::string_view text);

}  // namespace holdfast

#endif  // HOLDFAST_BASE_BASE64_H
