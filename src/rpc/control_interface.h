// SPDX-License-Identifier: Apache-2.0
// io.holdfast.Control.varlink as the server tells it to whoever asks.
#ifndef HOLDFAST_RPC_CONTROL_INTERFACE_H
#define HOLDFAST_RPC_CONTROL_INTERFACE_H

#include <string>

namespace holdfast::rpc {

inline constexpr char kControlInterface[] = "io.holdfast.Control";
inline constexpr char kControlSocket[] = "/run/holdfast/io.holdfast.Control";
[[nodiscard]] std::string control_description();

}  // namespace holdfast::rpc

#endif  // HOLDFAST_RPC_CONTROL_INTERFACE_H
