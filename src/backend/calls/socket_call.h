// SPDX-License-Identifier: Apache-2.0
// Decodes the registers of a socket call, and performs the call on a duplicate of its socket.
// Accepts are in backend/calls/accepts.h.
#ifndef HOLDFAST_BACKEND_CALLS_SOCKET_CALL_H
#define HOLDFAST_BACKEND_CALLS_SOCKET_CALL_H

#include <linux/seccomp.h>

#include <atomic>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "backend/calls/answer.h"
#include "kernel/proc/proc.h"
#include "kernel/sockets/socket_calls.h"

namespace holdfast::backend::calls {

struct SocketCall {
  std::uint32_t operations = 0;  // HF_SOCK_*: all operations of the call
  int fd = -1;
  bool writes = false;    // a call such as write(2), which is not only for sockets
  unsigned messages = 1;  // the number of messages that it sends
  int from = -1;          // sendfile, splice: the descriptor of what is sent
};
[[nodiscard]] SocketCall decode_socket_call(const seccomp_data& data);

// The process that makes a call on a duplicate of the caller's socket. Any thread; all functions may
// block. Errors: those of the system call of the same name; ECONNABORTED with gone(), the process
// does not answer.
class SocketMaker {
 public:
  virtual ~SocketMaker() = default;
  virtual Result<void> bind(int socket_fd, std::string_view address) const = 0;
  virtual Result<void> connect(int socket_fd, std::string_view address) const = 0;
  virtual Result<void> listen(int socket_fd, int backlog) const = 0;
  // `passed`: borrowed descriptors. A number in a SCM_RIGHTS part of the message is an index of it.
  virtual Result<std::int64_t> send(int socket_fd, const kernel::Message& message,
                                    const std::vector<int>& passed) const = 0;
  virtual Result<std::int64_t> copy(int socket_fd, int from_fd, kernel::FileCopy& copy) const = 0;
  // Can it send this address to the kernel with the same effect as the caller? False: the call has
  // to be refused.
  [[nodiscard]] virtual bool takes(std::string_view address) const = 0;
  [[nodiscard]] virtual bool gone() const { return false; }
};
// This process itself, for sockets that record no credentials.
[[nodiscard]] std::shared_ptr<const SocketMaker> own_maker();

// All that perform_socket_call() needs. The job's thread shares it.
struct Performance {
  seccomp_data data;
  std::shared_ptr<const SocketMaker> maker;
  std::shared_ptr<const kernel::SignalledThread> caller;
  std::shared_ptr<const Fd> socket;
  std::shared_ptr<const kernel::TaskMemory> memory;
  std::shared_ptr<const Fd> table = {};  // a pidfd, for duplicates of descriptors that are passed
  std::shared_ptr<const Fd> from = {};   // sendfile, splice: what is sent
  // Set when the call was not made, since its address names what the maker cannot use as the caller.
  std::shared_ptr<std::atomic<bool>> refused = std::make_shared<std::atomic<bool>>(false);
};

// Can holdfast itself perform the call with the same effect as the caller? Only for internet
// sockets. A unix socket records the credentials and the pid of the process that binds, connects or
// sends.
[[nodiscard]] bool can_perform(std::uint16_t family);
// Performs the call with what the caller's memory holds, which it reads once. May block. Any
// thread.
[[nodiscard]] Answer perform_socket_call(const Performance& performance);

}  // namespace holdfast::backend::calls

#endif  // HOLDFAST_BACKEND_CALLS_SOCKET_CALL_H
