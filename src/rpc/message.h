// SPDX-License-Identifier: Apache-2.0
// A message of Varlink: one JSON object.
#ifndef HOLDFAST_RPC_MESSAGE_H
#define HOLDFAST_RPC_MESSAGE_H

#include <nlohmann/json.hpp>
#include <string_view>

namespace holdfast::rpc {

// Objects and arrays within each other. Copying a value takes stack for each, and anybody may send
// a message as long as the server reads.
inline constexpr std::size_t kMaxNesting = 64;

// Discarded (is_discarded()) when it is not JSON or nested deeper than that.
[[nodiscard]] nlohmann::json parse_message(std::string_view text);

}  // namespace holdfast::rpc

#endif  // HOLDFAST_RPC_MESSAGE_H
