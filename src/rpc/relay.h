// SPDX-License-Identifier: Apache-2.0
// The process between the server and a client that sends descriptors.
//
// Who sends a message may send descriptors with it, and whoever holds the last one of an open file
// has to close it: of a TCP socket with SO_LINGER, or of a file of a FUSE server, that takes as
// long as its maker likes. Reading is enough to become the last holder, whether or not descriptors
// are asked for, and so is closing a connection that is not read to its end. So the server reads a
// connection only as long as no descriptor comes with what is next (kernel::read_plain()). From
// then on a process of that connection's own relays the bytes, and lets through no other descriptor
// than of a socket, which it keeps as well until the connection ends. rpc/closer.h ends the others.
#ifndef HOLDFAST_RPC_RELAY_H
#define HOLDFAST_RPC_RELAY_H

#include <functional>

#include "base/fd.h"
#include "base/result.h"

namespace holdfast::rpc {

// The only argument of the program when it is to be a relay.
inline constexpr char kRelayArgument[] = "--relay";

// Where the server reads and writes instead of the connection.
struct ServerEnd {
  Fd fd;
  Fd process;  // a pidfd to wait for once `fd` is closed; invalid: there is none
};
// Takes `client`, or on error leaves it.
using ConnectionFactory = std::function<Result<ServerEnd>(Fd& client)>;
// Starts this program once more. Errors: those of socketpair(2) and posix_spawn(3).
[[nodiscard]] Result<ServerEnd> start_relay(Fd& client);
// No process between: for servers whose clients are trusted.
[[nodiscard]] Result<ServerEnd> no_relay(Fd& client);

// What such a process does until the server closes its end. The client is descriptor 3, the server
// 4. Exits without closing: a process that is ending waits for no socket to linger.
[[noreturn]] void run_relay();

}  // namespace holdfast::rpc

#endif  // HOLDFAST_RPC_RELAY_H
