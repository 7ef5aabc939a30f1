// SPDX-License-Identifier: Apache-2.0
// What goes between holdfast and its door: door.h. One program on both sides, so plain structures.
#ifndef HOLDFAST_BACKEND_CONNECT_HELPER_DOOR_WORDS_H
#define HOLDFAST_BACKEND_CONNECT_HELPER_DOOR_WORDS_H

#include <sys/un.h>

#include <array>
#include <cstdint>

namespace holdfast::backend::supervisor {

// The only argument of the program when it is to be a door.
inline constexpr char kDoorArgument[] = "--door";

// Over the channel, a byte each. The door: it runs, and may be looked at; then: it may not any
// more.
inline constexpr char kDoorRuns = 'r';
inline constexpr char kDoorClosesItself = 'c';
inline constexpr char kDoorIsOpaque = 'o';

// With each comes a socket of its own for the answer. What does not want to wait any longer shuts
// that down, and still gets an answer.
struct DoorRequest {
  // find: the file that the path names, from the root, or from the directory that comes along;
  // look: at the file that comes along. connect: the socket to the file, which come along.
  enum class Kind : std::uint32_t { find_from_root, find_from_directory, look, connect } kind = {};
  std::array<char, sizeof(sockaddr_un::sun_path) + 1> path = {};  // ends with a NUL
};

// To find and look. A descriptor (O_PATH) comes along, when there is one.
struct DoorAnswer {
  std::int32_t error = 0;  // errno
  // What a datagram socket that connects there is told, which disturbs nobody: ECONNREFUSED: no
  // socket is bound there; EACCES: it may not; else somebody is there.
  std::int32_t probe = 0;
};

}  // namespace holdfast::backend::supervisor

#endif  // HOLDFAST_BACKEND_CONNECT_HELPER_DOOR_WORDS_H
