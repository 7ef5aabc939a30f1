// SPDX-License-Identifier: Apache-2.0
#include "cli/kept_labels.h"

#include <fmt/core.h>

#include <cerrno>
#include <tuple>

#include "base/base64.h"
#include "kernel/sockets/sockets.h"
#include "rpc/control_interface.h"

namespace holdfast::cli {
namespace {

using nlohmann::json;

Error refusal(const rpc::Reply& reply) {
  if (reply.error == fmt::format("{}.LabelRefused", rpc::kControlInterface))
    return {reply.parameters.value("errno", EPROTO),
            "label",
            {},
            reply.parameters.value("message", std::string())};
  if (reply.error == "org.varlink.service.InvalidParameter")
    return {EINVAL, "label", reply.parameters.value("parameter", std::string()), {}};
  return {EPROTO, "call holdfastd", reply.error, {}};
}

}  // namespace

Result<KeptLabels> KeptLabels::open(const std::string& control_socket) {
  if (kernel::has_socket_attributes()) return Error{ENOTSUP, "ask holdfastd", "for labels", {}};
  KeptLabels kept(control_socket);
  auto client = rpc::Client::connect(control_socket);
  if (!client) return Error{ENOTSUP, "ask holdfastd", "for labels", client.error().message()};
  kept.client_ = *std::move(client);
  return kept;
}

// holdfastd closes a connection after a number of sockets, or when it was idle. So try twice.
Result<json> KeptLabels::call(const char* method, const json& parameters, int socket_fd) {
  const std::string name = fmt::format("{}.{}", rpc::kControlInterface, method);
  auto reply = client_->call(name, parameters, socket_fd);
  if (!reply) {
    HF_TRY_ASSIGN(client_, rpc::Client::connect(control_socket_));
    reply = client_->call(name, parameters, socket_fd);
  }
  if (!reply) return reply.error();
  if (!reply->error.empty()) return refusal(*reply);
  return reply->parameters;
}

Result<KeptLabels::Labels> KeptLabels::list(int socket_fd) {
  HF_TRY_ASSIGN(const auto reply, call("Labels", json::object(), socket_fd));
  Labels labels;
  for (const json& label : reply.value("labels", json::array())) {
    auto value = from_base64(label.value("value", std::string()));
    if (!value) return Error{EPROTO, "call holdfastd", {}, "a value that is not base64"};
    labels.emplace_back(label.value("name", std::string()), *std::move(value));
  }
  return labels;
}

Result<std::string> KeptLabels::get(int socket_fd, const std::string& name) {
  HF_TRY_ASSIGN(const auto reply, call("GetLabel", {{"name", name}}, socket_fd));
  auto value = from_base64(reply.value("value", std::string()));
  if (!value) return Error{EPROTO, "call holdfastd", {}, "a value that is not base64"};
  return *std::move(value);
}

Result<void> KeptLabels::set(int socket_fd, const std::string& name, std::string_view value) {
  HF_TRY_ASSIGN(std::ignore,
                call("SetLabel", {{"name", name}, {"value", to_base64(value)}}, socket_fd));
  return {};
}

Result<void> KeptLabels::remove(int socket_fd, const std::string& name) {
  HF_TRY_ASSIGN(std::ignore, call("RemoveLabel", {{"name", name}}, socket_fd));
  return {};
}

}  // namespace holdfast::cli
