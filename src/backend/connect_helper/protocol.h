// SPDX-License-Identifier: Apache-2.0
// The messages between holdfast (client.h) and the connect helper (process.h). Both are the same
// program, so the messages are plain structures. Each message is one packet on a SOCK_SEQPACKET
// channel.
#ifndef HOLDFAST_BACKEND_CONNECT_HELPER_PROTOCOL_H
#define HOLDFAST_BACKEND_CONNECT_HELPER_PROTOCOL_H

#include <sys/un.h>

#include <array>
#include <cstdint>

namespace holdfast::backend::connect_helper {

// The only argument of the program when it has to be the connect helper.
inline constexpr char kConnectHelperArgument[] = "--connect-helper";

// The start, one byte each. The helper runs and is still dumpable, so that holdfast can open its
// /proc. Then holdfast asks it to become undumpable, and the helper confirms.
inline constexpr char kHelperRuns = 'r';
inline constexpr char kBecomeUndumpable = 'c';
inline constexpr char kHelperIsUndumpable = 'o';

// The first descriptor that comes with a request is a socket for the reply. To cancel, the client
// shuts down its end for writing; the helper then interrupts the call and still replies.
struct HelperRequest {
  // The descriptors after the reply socket:
  //   find_from_root: none. Opens `path`, which is absolute.
  //   find_from_directory: the directory where `path` starts.
  //   look: the file to probe.
  //   connect: the socket, and the file to connect it to.
  enum class Kind : std::uint32_t { find_from_root, find_from_directory, look, connect } kind = {};
  std::array<char, sizeof(sockaddr_un::sun_path) + 1> path = {};  // ends with a NUL
};

// The reply to all kinds. A successful find comes with the file as an O_PATH descriptor.
struct HelperReply {
  std::int32_t error = 0;  // errno of the open (find) or of connect(2) (connect); 0: success
  // find and look: the errno of connecting a new datagram socket to the file. ECONNREFUSED: no
  // socket is bound to it. EACCES: no permission. Any other value: a socket is bound to it. The
  // probe has no effect on that socket.
  std::int32_t probe = 0;
};

}  // namespace holdfast::backend::connect_helper

#endif  // HOLDFAST_BACKEND_CONNECT_HELPER_PROTOCOL_H
