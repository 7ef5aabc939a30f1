// SPDX-License-Identifier: Apache-2.0
// Parses a Varlink message: one JSON object.
#ifndef HOLDFAST_RPC_MESSAGE_H
#define HOLDFAST_RPC_MESSAGE_H

#include <nlohmann/json.hpp>
#include <string_view>

namespace holdfast::rpc {

// The maximum depth of nested objects and arrays. A copy of a JSON value uses stack space for each
// level, and any local user may send a long message.
inline constexpr std::size_t kMaxNesting = 64;

// Pure. The result is discarded (is_discarded()) if `text` is not JSON or is nested more deeply.
[[nodiscard]] nlohmann::json parse_message(std::string_view text);

}  // namespace holdfast::rpc

#endif  // HOLDFAST_RPC_MESSAGE_H
