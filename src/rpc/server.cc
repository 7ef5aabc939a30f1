// SPDX-License-Identifier: Apache-2.0
#include "rpc/server.h"

#include <algorithm>
#include <utility>

#include "kernel/local_socket.h"
#include "kernel/passed_descriptors.h"
#include "kernel/process.h"
#include "rpc/message.h"

namespace holdfast::rpc {

namespace {

constexpr std::size_t kMostConnections = 64;
constexpr std::size_t kMostOfOneUser = 16;              // but root
constexpr std::size_t kMostUntaken = 8;                 // sockets that came and no call took
constexpr std::size_t kMostIn = std::size_t{1} << 20;   // bytes of one call
constexpr std::size_t kMostOut = std::size_t{4} << 20;  // bytes that a client is behind

constexpr char kService[] = "org.varlink.service";
constexpr char kServiceDescription[] = R"(interface org.varlink.service

method GetInfo() -> (
  vendor: string,
  product: string,
  version: string,
  url: string,
  interfaces: []string
)

method GetInterfaceDescription(interface: string) -> (description: string)

error InterfaceNotFound (interface: string)
error MethodNotFound (method: string)
error MethodNotImplemented (method: string)
error InvalidParameter (parameter: string)
error PermissionDenied ()
error ExpectedMore ()
)";

}  // namespace

Answer invalid_parameter(const char* name) {
  return {"org.varlink.service.InvalidParameter", {{"parameter", name}}, false};
}

std::optional<Fd> Call::take_socket() const {
  if (sockets == nullptr || sockets->empty()) return std::nullopt;
  Fd first = std::move(sockets->front());
  sockets->pop_front();
  return first;
}

Server::Server(std::string path, Fd listener, Interface interface, Handler handler, Doorway doorway)
    : path_(std::move(path)),
      listener_(std::move(listener)),
      interface_(std::move(interface)),
      handler_(std::move(handler)),
      doorway_(std::move(doorway)) {}

Server::~Server() {
  if (auto removed = kernel::remove_socket(path_); !removed) return;  // another's by now
}

Result<std::unique_ptr<Server>> Server::create(const std::string& path, Interface interface,
                                               Handler handler, Doorway doorway) {
  // Anybody may connect; what he may call is decided by who he is.
  auto listener = kernel::listen_at(path, 0666);
  if (!listener) return std::move(listener).error();
  return std::unique_ptr<Server>(new Server(path, *std::move(listener), std::move(interface),
                                            std::move(handler), std::move(doorway)));
}

// Who comes while there is no room waits to be accepted.
bool Server::has_room() const { return connections_.size() < kMostConnections; }

std::size_t Server::connections_of(uid_t uid) const {
  return static_cast<std::size_t>(std::ranges::count_if(
      connections_, [uid](const auto& entry) { return entry.second.peer.uid == uid; }));
}

std::vector<int> Server::poll_fds() const {
  std::vector<int> fds;
  if (has_room()) fds.push_back(listener_.get());
  for (const auto& [id, connection] : connections_)
    fds.push_back(connection.broken ? connection.door.process.get() : connection.door.fd.get());
  return fds;
}

bool Server::is_behind() const {
  return std::ranges::any_of(connections_,
                             [](const auto& entry) { return !entry.second.out.empty(); });
}

// Its relay may take its time to end.
bool Server::is_over(const Connection& connection) {
  return connection.broken &&
         (!connection.door.process || kernel::reap(connection.door.process.get()));
}

void Server::dispatch() {
  accept_all();
  for (auto at = connections_.begin(); at != connections_.end();) {
    Connection& connection = at->second;
    if (!connection.broken) serve(at->first, connection);
    if (connection.broken) {
      connection.sockets.clear();
      connection.out.clear();
      connection.door.fd.reset();
    }
    at = is_over(connection) ? connections_.erase(at) : std::next(at);
  }
}

void Server::accept_all() {
  while (has_room()) {
    auto accepted = kernel::accept_one(listener_.get());
    if (!accepted || !*accepted) return;
    const auto peer = kernel::peer_credentials((*accepted)->get());
    if (!peer) continue;
    auto process = kernel::peer_process((*accepted)->get());
    const bool too_many = peer->uid != 0 && connections_of(peer->uid) >= kMostOfOneUser;
    auto door = doorway_(*std::move(*accepted), too_many ? Entry::turned_away : Entry::admitted);
    if (!door) continue;
    Connection connection;
    connection.peer = *peer;
    if (process) connection.peer_fd = *std::move(process);
    connection.door = *std::move(door);
    connection.broken = too_many;
    connections_.emplace(next_++, std::move(connection));
  }
}

void Server::serve(ConnectionId id, Connection& connection) {
  flush(connection);
  std::vector<Fd> sockets;
  const auto open =
      kernel::receive_with_descriptors(connection.door.fd.get(), connection.in, sockets);
  for (Fd& socket : sockets) connection.sockets.push_back(std::move(socket));
  if (connection.sockets.size() > kMostUntaken) connection.broken = true;
  for (std::size_t end = 0; !connection.streams && !connection.broken &&
                            (end = connection.in.find('\0')) != std::string::npos;) {
    const std::string message = connection.in.substr(0, end);
    connection.in.erase(0, end + 1);
    handle(id, connection, message);
  }
  flush(connection);
  if (!open || !*open || connection.in.size() > kMostIn) connection.broken = true;
}

// What is no call is not answered but disconnected, as the protocol has it.
void Server::handle(ConnectionId id, Connection& connection, const std::string& message) {
  const Json json = parse_message(message);
  if (!json.is_object() || !json.contains("method") || !json["method"].is_string()) {
    connection.broken = true;
    return;
  }
  Call call;
  call.connection = id;
  call.peer = connection.peer;
  call.sockets = &connection.sockets;
  call.peer_fd = connection.peer_fd.get();
  call.method = json["method"].get<std::string>();
  call.parameters = json.value("parameters", Json::object());
  const auto flag = [&](const char* key) {
    return json.contains(key) && json[key].is_boolean() && json[key].get<bool>();
  };
  call.more = flag("more");
  Answer reply = call.parameters.is_object() ? answer(call) : invalid_parameter("parameters");
  connection.streams = reply.continues;
  if (flag("oneway") || (reply.continues && reply.parameters.empty())) return;
  Json out = {{"parameters", std::move(reply.parameters)}};
  if (!reply.error.empty()) out["error"] = reply.error;
  if (reply.continues) out["continues"] = true;
  put(connection, out);
}

Answer Server::answer(const Call& call) const {
  if (call.method == std::string(kService) + ".GetInfo")
    return {"",
            {{"vendor", "holdfast"},
             {"product", "holdfastd"},
             {"version", HOLDFAST_VERSION},
             {"url", "https://varlink.org"},
             {"interfaces", {kService, interface_.name}}},
            false};
  if (call.method == std::string(kService) + ".GetInterfaceDescription") {
    const auto wanted = call.parameters.find("interface");
    if (wanted == call.parameters.end() || !wanted->is_string())
      return invalid_parameter("interface");
    if (*wanted == kService) return {"", {{"description", kServiceDescription}}, false};
    if (*wanted == interface_.name) return {"", {{"description", interface_.description}}, false};
    return {"org.varlink.service.InterfaceNotFound", {{"interface", *wanted}}, false};
  }
  const std::string interface = call.method.substr(0, call.method.rfind('.'));
  if (interface == kService)
    return {"org.varlink.service.MethodNotFound", {{"method", call.method}}, false};
  if (interface != interface_.name)
    return {"org.varlink.service.InterfaceNotFound", {{"interface", interface}}, false};
  return handler_(call);
}

bool Server::send(ConnectionId connection, const Json& parameters) {
  const auto at = connections_.find(connection);
  if (at == connections_.end() || at->second.broken) return false;
  put(at->second, {{"parameters", parameters}, {"continues", true}});
  flush(at->second);
  return true;
}

void Server::put(Connection& connection, const Json& message) {
  connection.out += message.dump(-1, ' ', false, Json::error_handler_t::replace);
  connection.out += '\0';
  if (connection.out.size() > kMostOut) connection.broken = true;
}

void Server::flush(Connection& connection) {
  while (!connection.out.empty() && !connection.broken) {
    const auto sent = kernel::send_some(connection.door.fd.get(), connection.out);
    if (!sent) connection.broken = true;
    if (!sent || *sent == 0) return;
    connection.out.erase(0, *sent);
  }
}

}  // namespace holdfast::rpc
