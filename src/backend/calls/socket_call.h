// SPDX-License-Identifier: Apache-2.0
// A call about a socket, as its registers say it, and as it is made on a duplicate. But for
// accepts: backend/calls/accepts.h.
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
  std::uint32_t operations = 0;  // HF_SOCK_*: what it does, all of it
  int fd = -1;
  bool writes = false;    // a call that is mostly about files
  unsigned messages = 1;  // sent by it
};
[[nodiscard]] SocketCall decode_socket_call(const seccomp_data& data);

// What makes a call on a duplicate. Shared with a job's thread.
struct Performance {
  seccomp_data data;
  std::shared_ptr<const kernel::SignalledThread> caller;
  std::shared_ptr<const Fd> socket;
  std::shared_ptr<const kernel::TaskMemory> memory;
};

// Can it be made by another process, as if by the caller? Not what would lend it the supervisor's
// credentials or number: unix sockets bind, connect and send with those of who calls.
[[nodiscard]] bool can_perform(const seccomp_data& data, std::uint16_t family);
// Makes it; may block.
[[nodiscard]] Answer perform_socket_call(const Performance& performance);

}  // namespace holdfast::backend::supervisor

#endif  // HOLDFAST_BACKEND_CALLS_SOCKET_CALL_H
