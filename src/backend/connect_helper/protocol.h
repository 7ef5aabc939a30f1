// SPDX-License-Identifier: Apache-2.0
// The messages between holdfast (client.h) and the connect helper (process.h). Both are the same
// program, so the messages are plain structures. Each message is one packet on a SOCK_SEQPACKET
// channel.
#ifndef HOLDFAST_BACKEND_CONNECT_HELPER_PROTOCOL_H
#define HOLDFAST_BACKEND_CONNECT_HELPER_PROTOCOL_H

#include <sys/un.h>

#include <array>
#include <cstdint>

#include "kernel/sockets/socket_calls.h"

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
  //   bind, connect_address: the socket, the body, and the caller's working directory.
  //   listen: the socket.
  //   send: the socket, the body, the working directory, and the descriptors that are passed.
  //   copy: the socket, and the file that is sent.
  enum class Kind : std::uint32_t {
    find_from_root,
    find_from_directory,
    look,
    connect,
    bind,
    connect_address,
    listen,
    send,
    copy
  } kind = {};
  std::array<char, sizeof(sockaddr_un::sun_path) + 1> path = {};  // ends with a NUL
  // The body is a file that has these parts, in this order.
  std::uint32_t address_bytes = 0;
  std::uint32_t control_bytes = 0;  // a number in a SCM_RIGHTS part is the index of what is passed
  std::uint32_t data_bytes = 0;
  std::int32_t argument = 0;    // listen: the backlog. send: MSG_*
  std::uint32_t umask = 0;      // bind
  std::int32_t caller_pid = 0;  // the caller's process, in the pid namespace that both are in
  kernel::FileCopy copy = {};
};

// The reply to all kinds. A successful find comes with the file as an O_PATH descriptor.
struct HelperReply {
  std::int32_t error = 0;  // errno of the open (find) or of connect(2) (connect); 0: success
  // find and look: the errno of connecting a new datagram socket to the file. ECONNREFUSED: no
  // socket is bound to it. EACCES: no permission. Any other value: a socket is bound to it. The
  // probe has no effect on that socket.
  std::int32_t probe = 0;
  std::int64_t sent = 0;    // send, copy: the number of bytes
  std::int64_t offset = 0;  // copy: FileCopy::offset afterwards
};

}  // namespace holdfast::backend::connect_helper

#endif  // HOLDFAST_BACKEND_CONNECT_HELPER_PROTOCOL_H
