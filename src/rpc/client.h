// SPDX-License-Identifier: Apache-2.0
// A Varlink client that makes one call at a time.
#ifndef HOLDFAST_RPC_CLIENT_H
#define HOLDFAST_RPC_CLIENT_H

#include <functional>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>

#include "base/fd.h"
#include "base/result.h"

namespace holdfast::rpc {

struct Reply {
  std::string error;  // the full name of a Varlink error; empty: success
  nlohmann::json parameters = nlohmann::json::object();
};

// All functions block. Not thread safe.
class Client {
 public:
  // Connects to PATH.root, or else to PATH (rpc/server.h). Errors: of connect(2), for PATH.
  [[nodiscard]] static Result<Client> connect(const std::string& path);
  // `socket_fd` is borrowed and sent with the call; -1: none. Errors: EPROTO, the answer is not a
  // reply; EPIPE, the server closed the connection; of send(2), recv(2). An error of the method is
  // in Reply::error.
  [[nodiscard]] Result<Reply> call(const std::string& method, const nlohmann::json& parameters,
                                   int socket_fd = -1);
  // Calls with "more" and passes each reply to `each`, until `each` returns false or the last
  // reply. Returns the last reply, or an error reply without a call of `each`. Errors: as call().
  [[nodiscard]] Result<Reply> stream(const std::string& method, const nlohmann::json& parameters,
                                     const std::function<bool(const Reply&)>& each);

  // Calls with "more" and returns the first reply. Errors: as call().
  [[nodiscard]] Result<Reply> begin_stream(const std::string& method,
                                           const nlohmann::json& parameters);
  // The next reply of a stream that is there already. Empty: there is none now. Errors: EPIPE the
  // server closed the connection; EPROTO; of recv(2).
  [[nodiscard]] Result<std::optional<Reply>> next_ready();
  // Readable when next_ready() may have a reply. Borrowed.
  [[nodiscard]] int fd() const { return fd_.get(); }

 private:
  explicit Client(Fd fd) : fd_(std::move(fd)) {}
  [[nodiscard]] Result<void> send(nlohmann::json message, int socket_fd = -1);
  [[nodiscard]] Result<Reply> receive(bool& continues);
  [[nodiscard]] Result<Reply> take_message(std::size_t end, bool& continues);
  Fd fd_;
  std::string in_;
};

}  // namespace holdfast::rpc

#endif  // HOLDFAST_RPC_CLIENT_H
