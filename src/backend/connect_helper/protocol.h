// SPDX-License-Identifier: Apache-2.0
// What goes between holdfast and its door: client.h. One program on both sides, so plain structures.
#ifndef HOLDFAST_BACKEND_CONNECT_HELPER_PROTOCOL_H
#define HOLDFAST_BACKEND_CONNECT_HELPER_PROTOCOL_H

#include <sys/un.h>

#include <array>
#include <cstdint>

namespace holdfast::backend::connect_helper {

// The only argument of the program when it is to be a door.
inline constexpr char kConnectHelperArgument[] = "--connect-helper";

// Over the channel, a byte each. The door: it runs, and may be looked at; then: it may not any
// more.
inline constexpr char kHelperRuns = 'r';
inline constexpr char kBecomeUndumpable = 'c';
inline constexpr char kHelperIsUndumpable = 'o';

// With each comes a socket of its own for the answer. What does not want to wait any longer shuts
// that down, and still gets an answer.
struct HelperRequest {
  // find: the file that the path names, from the root, or from the directory that comes along;
  // look: at the file that comes along. connect: the socket to the file, which come along.
  enum class Kind : std::uint32_t { find_from_root, find_from_directory, look, connect } kind = {};
  std::array<char, sizeof(sockaddr_un::sun_path) + 1> path = {};  // ends with a NUL
};

// To find and look. A descriptor (O_PATH) comes along, when there is one.
struct HelperReply {
  std::int32_t error = 0;  // errno
  // What a datagram socket that connects there is told, which disturbs nobody: ECONNREFUSED: no
  // socket is bound there; EACCES: it may not; else somebody is there.
  std::int32_t probe = 0;
};

}  // namespace holdfast::backend::connect_helper

#endif  // HOLDFAST_BACKEND_CONNECT_HELPER_PROTOCOL_H
