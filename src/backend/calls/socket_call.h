// SPDX-License-Identifier: Apache-2.0
// Decodes the registers of a socket call, and performs the call on a duplicate of its socket.
// Accepts are in backend/calls/accepts.h.
#ifndef HOLDFAST_BACKEND_CALLS_SOCKET_CALL_H
#define HOLDFAST_BACKEND_CALLS_SOCKET_CALL_H

#include <linux/seccomp.h>

#include <memory>

#include "backend/calls/answer.h"
#include "kernel/proc/proc.h"
#include "kernel/sockets/socket_calls.h"

namespace holdfast::backend::supervisor {

using namespace calls;

struct SocketCall {
  std::uint32_t operations = 0;  // HF_SOCK_*: all operations of the call
  int fd = -1;
  bool writes = false;    // a call such as write(2), which is not only for sockets
  unsigned messages = 1;  // the number of messages that it sends
};
[[nodiscard]] SocketCall decode_socket_call(const seccomp_data& data);

// All that perform_socket_call() needs. The job's thread shares it.
struct Performance {
  seccomp_data data;
  std::shared_ptr<const kernel::SignalledThread> caller;
  std::shared_ptr<const Fd> socket;
  std::shared_ptr<const kernel::TaskMemory> memory;
};

// Can holdfast perform the call with the same effect as the caller? Only for internet sockets. A
// unix socket records the credentials and the pid of the process that binds, connects or sends.
[[nodiscard]] bool can_perform(const seccomp_data& data, std::uint16_t family);
// Performs the call with what the caller's memory holds, which it reads once. May block. Any
// thread.
[[nodiscard]] Answer perform_socket_call(const Performance& performance);

}  // namespace holdfast::backend::supervisor

#endif  // HOLDFAST_BACKEND_CALLS_SOCKET_CALL_H
