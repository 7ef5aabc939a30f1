// SPDX-License-Identifier: Apache-2.0
#include "rpc/client.h"

#include <cerrno>
#include <string_view>

#include "kernel/sockets/local_socket.h"
#include "kernel/sockets/passed_descriptors.h"
#include "rpc/server.h"

namespace holdfast::rpc {

using Json = nlohmann::json;

Result<Client> Client::connect(const std::string& path) {
  // Only root may connect to PATH.root, so other clients cannot fill its queue.
  if (auto fd = kernel::connect_to(path + kRootSuffix)) return Client(*std::move(fd));
  HF_TRY_ASSIGN(auto fd, kernel::connect_to(path));
  return Client(std::move(fd));
}

Result<void> Client::send(Json message, int socket_fd) {
  std::string text = message.dump(-1, ' ', false, Json::error_handler_t::replace);
  text += '\0';
  std::string_view rest = text;
  if (socket_fd >= 0) {
    HF_TRY_ASSIGN(const auto sent, kernel::send_with_descriptors(fd_.get(), rest, {socket_fd}));
    rest.remove_prefix(sent);
  }
  while (!rest.empty()) {
    HF_TRY_ASSIGN(const auto sent, kernel::send_some(fd_.get(), rest));
    rest.remove_prefix(sent);
  }
  return {};
}

Result<Reply> Client::receive(bool& continues) {
  std::size_t end = 0;
  while ((end = in_.find('\0')) == std::string::npos) {
    HF_TRY_ASSIGN(const auto open, kernel::receive_some(fd_.get(), in_, kernel::Wait::yes));
    if (!open) return Error{EPIPE, "call", "", "the server closed the connection"};
  }
  return take_message(end, continues);
}

Result<Reply> Client::take_message(std::size_t end, bool& continues) {
  const Json json = Json::parse(in_.substr(0, end), nullptr, /*allow_exceptions=*/false);
  in_.erase(0, end + 1);
  if (!json.is_object()) return Error{EPROTO, "call", "", "not a reply"};
  continues = json.contains("continues") && json["continues"] == true;
  Reply reply;
  if (json.contains("error") && json["error"].is_string())
    reply.error = json["error"].get<std::string>();
  if (json.contains("parameters") && json["parameters"].is_object())
    reply.parameters = json["parameters"];
  return reply;
}

Result<Reply> Client::call(const std::string& method, const Json& parameters, int socket_fd) {
  HF_TRY(send({{"method", method}, {"parameters", parameters}}, socket_fd));
  bool continues = false;
  return receive(continues);
}

Result<Reply> Client::begin_stream(const std::string& method, const Json& parameters) {
  HF_TRY(send({{"method", method}, {"parameters", parameters}, {"more", true}}));
  bool continues = false;
  return receive(continues);
}

Result<std::optional<Reply>> Client::next_ready() {
  std::size_t end = in_.find('\0');
  if (end == std::string::npos) {
    HF_TRY_ASSIGN(const auto ready, kernel::poll_readable({fd_.get()}, 0));
    if (!ready.front()) return std::optional<Reply>();
    HF_TRY_ASSIGN(const auto open, kernel::receive_some(fd_.get(), in_, kernel::Wait::no));
    end = in_.find('\0');
    if (!open && end == std::string::npos)
      return Error{EPIPE, "call", "", "the server closed the connection"};
    if (end == std::string::npos) return std::optional<Reply>();
  }
  bool continues = false;
  HF_TRY_ASSIGN(auto reply, take_message(end, continues));
  return std::optional<Reply>(std::move(reply));
}

Result<Reply> Client::stream(const std::string& method, const Json& parameters,
                             const std::function<bool(const Reply&)>& each) {
  HF_TRY(send({{"method", method}, {"parameters", parameters}, {"more", true}}));
  for (;;) {
    bool continues = false;
    auto reply = receive(continues);
    if (!reply || !reply->error.empty()) return reply;
    if (!each(*reply) || !continues) return reply;
  }
}

}  // namespace holdfast::rpc
