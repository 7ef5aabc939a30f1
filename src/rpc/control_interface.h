// SPDX-License-Identifier: Apache-2.0
// The name, the socket and the description of the control interface.
#ifndef HOLDFAST_RPC_CONTROL_INTERFACE_H
#define HOLDFAST_RPC_CONTROL_INTERFACE_H

#include <string>

namespace holdfast::rpc {

inline constexpr char kControlInterface[] = "io.holdfast.Control";
inline constexpr char kControlSocket[] = "/run/holdfast/io.holdfast.Control";
// Of the holdfastd that `holdfast run` starts where no other one runs.
inline constexpr char kRunsSocket[] = "/run/holdfast/runs";
inline constexpr char kRunsArgument[] = "--for-runs";  // starts that holdfastd
inline constexpr int kExitBusy = 75;  // holdfastd's exit code when another one is running
// The text of io.holdfast.Control.varlink.
[[nodiscard]] std::string control_description();

}  // namespace holdfast::rpc

#endif  // HOLDFAST_RPC_CONTROL_INTERFACE_H
