// SPDX-License-Identifier: Apache-2.0
// A helper process between the server and a client that sends descriptors.
//
// A client may attach descriptors to a message. The process that holds the last descriptor of an
// open file must execute its close. For a TCP socket with SO_LINGER, or a file of a FUSE server,
// the sender decides how long that close takes. A process becomes the last holder when it receives
// the message, even without a control buffer, and also when it closes a connection with such unread
// bytes.
//
// So the server reads a connection only while the next bytes have no descriptor
// (kernel::read_plain()). After that, one helper process for this connection relays the bytes. It
// passes on only descriptors of sockets, and keeps a copy of each until the connection ends.
// rpc/closer.h closes the connections without a relay.
#ifndef HOLDFAST_RPC_RELAY_H
#define HOLDFAST_RPC_RELAY_H

#include <functional>

#include "base/fd.h"
#include "base/result.h"

namespace holdfast::rpc {

// The program's only argument when it runs as a relay.
inline constexpr char kRelayArgument[] = "--relay";

// The server's end of a connection: the connection itself, or a stream to its relay.
struct ServerEnd {
  Fd fd;
  Fd process;  // pidfd of the relay, to reap after `fd` is closed; empty: no relay
};
// Takes ownership of `client` on success. After an error, `client` is unchanged or already closed.
using ConnectionFactory = std::function<Result<ServerEnd>(Fd& client)>;
// Starts this program again, as a relay. Errors: of make_stream(), start_own_program(), send(2).
[[nodiscard]] Result<ServerEnd> start_relay(Fd& client);
// Uses the connection itself. For servers whose clients are trusted. Does not fail.
[[nodiscard]] Result<ServerEnd> no_relay(Fd& client);

// The main function of a relay. The client is descriptor 3, the server is descriptor 4. Exits after
// the server has closed its end. It exits without close(2), because close(2) may wait for lingering
// sockets and the exit of a process does not.
[[noreturn]] void run_relay();

}  // namespace holdfast::rpc

#endif  // HOLDFAST_RPC_RELAY_H
