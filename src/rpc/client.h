// SPDX-License-Identifier: Apache-2.0
// A Varlink client: one call after the other.
#ifndef HOLDFAST_RPC_CLIENT_H
#define HOLDFAST_RPC_CLIENT_H

#include <functional>
#include <nlohmann/json.hpp>
#include <string>

#include "base/fd.h"
#include "base/result.h"

namespace holdfast::rpc {

struct Reply {
  std::string error;  // the full name; empty: none
  nlohmann::json parameters = nlohmann::json::object();
};

// Blocks.
class Client {
 public:
  // Errors: of connect(2).
  [[nodiscard]] static Result<Client> connect(const std::string& path);
  // Errors: EPROTO what came is no reply; EPIPE the server closed; of send(2), recv(2).
  // `socket_fd`: goes with the call; -1: none.
  [[nodiscard]] Result<Reply> call(const std::string& method, const nlohmann::json& parameters,
                                   int socket_fd = -1);
  // Calls with "more" and hands over each reply, until it returns false or the server ends it.
  [[nodiscard]] Result<Reply> stream(const std::string& method, const nlohmann::json& parameters,
                                     const std::function<bool(const Reply&)>& each);

 private:
  explicit Client(Fd fd) : fd_(std::move(fd)) {}
  [[nodiscard]] Result<void> send(nlohmann::json message, int socket_fd = -1);
  [[nodiscard]] Result<Reply> receive(bool& continues);
  Fd fd_;
  std::string in_;
};

}  // namespace holdfast::rpc

#endif  // HOLDFAST_RPC_CLIENT_H
