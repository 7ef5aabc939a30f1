// SPDX-License-Identifier: Apache-2.0
// Writes strings as TOML.
#ifndef HOLDFAST_POLICY_TOML_TEXT_H
#define HOLDFAST_POLICY_TOML_TEXT_H

#include <string>
#include <string_view>

namespace holdfast::policy {

// "\"a\\\"b\"": a TOML basic string.
[[nodiscard]] std::string toml_string(std::string_view text);
// A TOML key: bare if TOML allows that, otherwise as a string.
[[nodiscard]] std::string toml_key(std::string_view text);

}  // namespace holdfast::policy

#endif  // HOLDFAST_POLICY_TOML_TEXT_H
