// SPDX-License-Identifier: Apache-2.0
#include "rpc/server.h"

#include <poll.h>
#include <signal.h>

#include <algorithm>
#include <utility>

#include "kernel/process/process.h"
#include "kernel/sockets/local_socket.h"
#include "kernel/sockets/passed_descriptors.h"
#include "rpc/message.h"

namespace holdfast::rpc {

namespace {

constexpr std::size_t kMaxUntakenSockets = 8;          // received sockets that no call has taken
constexpr std::size_t kMaxOut = std::size_t{4} << 20;  // unsent bytes for one client
constexpr std::size_t kMaxOutOfStranger = std::size_t{1} << 18;  // of a call that goes on
constexpr std::size_t kMaxAtOnce = 16;     // connections accepted in one dispatch
constexpr std::size_t kBlock = 65536;      // bytes of one read
constexpr std::uint64_t kLongSlices = 10;  // a turn that takes so many slices was one long call
constexpr std::size_t kMaxEnding = 256;    // relays that have not ended yet
// Strangers are paused for this multiple of the time that they used.
constexpr std::uint64_t kPauseFactor = 3;
// Interval of retries to start a relay or to send a connection to the closer.
constexpr std::uint64_t kRetryNs = 20'000'000;

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

std::optional<std::string> Call::text(const char* name) const {
  const auto at = parameters.find(name);
  if (at == parameters.end() || !at->is_string()) return std::nullopt;
  return at->get<std::string>();
}

std::optional<std::uint64_t> Call::number(const char* name) const {
  const auto at = parameters.find(name);
  if (at == parameters.end() || !at->is_number_unsigned()) return std::nullopt;
  return at->get<std::uint64_t>();
}

std::optional<int> Call::small_number(const char* name) const {
  const auto value = number(name);
  if (!value || *value > INT32_MAX) return std::nullopt;
  return static_cast<int>(*value);
}

std::optional<Fd> Call::take_socket() const {
  if (sockets == nullptr || sockets->empty()) return std::nullopt;
  Fd first = std::move(sockets->front());
  sockets->pop_front();
  return first;
}

Helpers helper_processes() { return {start_relay, start_closer}; }
Helpers no_helpers() { return {no_relay, {}}; }

Server::Server(std::string path, Fd listener, Fd root_listener, Interface interface,
               Handler handler, Helpers helpers, Limits limits)
    : path_(std::move(path)),
      listener_(std::move(listener)),
      root_listener_(std::move(root_listener)),
      interface_(std::move(interface)),
      handler_(std::move(handler)),
      helpers_(std::move(helpers)),
      limits_(limits),
      closer_(helpers_.closer) {}

// The exit of the process closes the connections of untrusted clients. A close here could wait for
// lingering sockets that they contain. At exit the kernel does not wait (inet_release():
// PF_EXITING).
Server::~Server() {
  // Ignore errors, for example when another kind of file has this name.
  (void)kernel::remove_socket(path_);
  (void)kernel::remove_socket(path_ + kRootSuffix);
  if (!helpers_.closer) return;
  (void)listener_.release();
  for (auto& [id, connection] : connections_)
    if (!connection.relayed) (void)connection.end.fd.release();
}

Result<std::unique_ptr<Server>> Server::create(const std::string& path, Interface interface,
                                               Handler handler, Helpers helpers, Limits limits) {
  // Every user may connect. The handler decides which methods a peer may call.
  HF_TRY_ASSIGN(auto listener, kernel::listen_at(path, 0666));
  // connect(2) needs write permission on the socket's file (unix_find_bsd()).
  auto root_listener = kernel::listen_at(path + kRootSuffix, 0600);
  if (!root_listener) {
    (void)kernel::remove_socket(path);
    return std::move(root_listener).error();
  }
  return std::unique_ptr<Server>(new Server(path, std::move(listener), *std::move(root_listener),
                                            std::move(interface), std::move(handler),
                                            std::move(helpers), limits));
}

std::size_t Server::count(Share share) const {
  return static_cast<std::size_t>(std::ranges::count_if(connections_, [&](const auto& entry) {
    const Connection& one = entry.second;
    return one.share == share && (share == Share::root || !one.streams);
  }));
}

std::size_t Server::max_connections(Share share) const {
  return share == Share::root ? limits_.root : limits_.strangers;
}

// The connection that a new one replaces: of the user with the most connections, the one with the
// oldest progress.
Server::Connections::iterator Server::to_replace(Share share, std::uint64_t now_ns) {
  std::map<uid_t, std::size_t> users;
  for (const auto& [id, connection] : connections_)
    if (connection.share == share) users[connection.peer.uid]++;
  auto found = connections_.end();
  for (auto at = connections_.begin(); at != connections_.end(); ++at) {
    const Connection& one = at->second;
    if (one.share != share || one.streams || one.since_ns + limits_.grace_ns > now_ns) continue;
    if (found == connections_.end()) {
      found = at;
      continue;
    }
    const Connection& other = found->second;
    const std::size_t mine = users[one.peer.uid], theirs = users[other.peer.uid];
    if (mine > theirs || (mine == theirs && one.progress_ns < other.progress_ns)) found = at;
  }
  return found;
}

// The time from which one more connection can be accepted. Until then clients wait in the
// listener's queue.
std::uint64_t Server::next_accept_ns(Share share, std::uint64_t now_ns) {
  if (share == Share::strangers && !closer_.has_capacity()) return kNever;
  if (count(share) < max_connections(share)) return now_ns;
  std::uint64_t from = kNever;
  for (const auto& [id, connection] : connections_)
    if (connection.share == share && !connection.streams)
      from = std::min(from, connection.since_ns + limits_.grace_ns);
  return from;
}

bool Server::make_room(Share share, std::uint64_t now_ns) {
  if (next_accept_ns(share, now_ns) > now_ns) return false;
  if (count(share) < max_connections(share)) return true;
  drop(to_replace(share, now_ns), now_ns);
  return true;
}

// Both use the same time: a connection without awaited events has its time in the time limit.
kernel::Interest Server::interest() {
  const std::uint64_t now_ns = kernel::boottime_ns();
  return {awaited(now_ns), due_ns(now_ns)};
}

std::vector<kernel::Awaited> Server::awaited(std::uint64_t now_ns) {
  const bool strangers = now_ns >= strangers_from_ns_;
  std::vector<kernel::Awaited> list;
  if (next_accept_ns(Share::root, now_ns) <= now_ns) list.push_back({root_listener_.get(), POLLIN});
  if (strangers && next_accept_ns(Share::strangers, now_ns) <= now_ns)
    list.push_back({listener_.get(), POLLIN});
  for (auto& [id, connection] : connections_) {
    if (connection.share == Share::strangers && !strangers) continue;
    // poll(2) always reports a hang-up, so a connection without awaited events is left out.
    if (!connection.out.empty())
      list.push_back({connection.end.fd.get(), POLLOUT});
    else if (!connection.needs_relay && !connection.ended)
      list.push_back({connection.end.fd.get(), POLLIN});
  }
  for (const Ending& ending : ending_) list.push_back({ending.process.get(), POLLIN});
  return list;
}

// Whether a whole call is available and the call before it has been answered.
bool Server::has_call(Connection& connection) const {
  return connection.out.empty() && !connection.streams && connection.in.has_message();
}

std::uint64_t Server::due_ns(std::uint64_t now_ns) {
  std::uint64_t next_ns = kNever;
  const auto no_later_than = [&](std::uint64_t ns) { next_ns = std::min(next_ns, ns); };
  if (now_ns < strangers_from_ns_) no_later_than(strangers_from_ns_);
  if (const auto from = next_accept_ns(Share::root, now_ns); from > now_ns) no_later_than(from);
  if (const auto from = next_accept_ns(Share::strangers, now_ns); from > now_ns)
    no_later_than(from);
  for (auto& [id, connection] : connections_) {
    const std::uint64_t from_ns =
        connection.share == Share::root ? now_ns : std::max(now_ns, strangers_from_ns_);
    if (has_call(connection)) no_later_than(from_ns);
    if (connection.needs_relay) no_later_than(from_ns + kRetryNs);
    if (connection.share == Share::strangers && !connection.streams)
      no_later_than(std::max(from_ns, connection.progress_ns + limits_.idle_ns));
  }
  if (closer_.waiting() > 0) no_later_than(now_ns + kRetryNs);
  for (const Ending& ending : ending_)
    if (!ending.killed) no_later_than(ending.since_ns + limits_.relay_end_ns);
  return next_ns;
}

void Server::dispatch() {
  const std::uint64_t now_ns = kernel::boottime_ns();
  serve_root(now_ns);
  if (now_ns >= strangers_from_ns_) serve_strangers(now_ns);
  end_relays(now_ns);
  closer_.dispatch(now_ns);
}

// A call may take seconds, as when programs are attached for it. The strangers that wait meanwhile, and
// in the pause that follows, are not idle.
void Server::forgive_wait(std::uint64_t took_ns) {
  if (took_ns < kLongSlices * limits_.slice_ns) return;
  for (auto& [id, connection] : connections_)
    if (connection.share == Share::strangers)
      connection.progress_ns += (1 + kPauseFactor) * took_ns;
}

void Server::serve_root(std::uint64_t now_ns) {
  accept_some(Share::root, now_ns);
  for (auto& [id, connection] : connections_)
    if (connection.share == Share::root) serve(id, connection, now_ns);
  forgive_wait(kernel::boottime_ns() - now_ns);
  drop_broken(now_ns);
}

// Round robin: starts after the connection that was served last.
void Server::serve_strangers(std::uint64_t now_ns) {
  accept_some(Share::strangers, now_ns);
  std::vector<ConnectionId> turn;
  for (const auto& [id, connection] : connections_)
    if (connection.share == Share::strangers) turn.push_back(id);
  // Not std::ranges::rotate(), which clang 14 cannot parse in libstdc++ 12.
  std::rotate(turn.begin(), std::ranges::upper_bound(turn, served_), turn.end());
  for (const ConnectionId id : turn) {
    const std::uint64_t at_ns = kernel::boottime_ns();
    if (at_ns >= now_ns + limits_.slice_ns) break;
    serve(id, connections_.at(id), at_ns);
    served_ = id;
  }
  forgive_wait(kernel::boottime_ns() - now_ns);
  drop_idle(kernel::boottime_ns());
  drop_broken(now_ns);
  const std::uint64_t end_ns = kernel::boottime_ns();
  strangers_from_ns_ = end_ns + kPauseFactor * (end_ns - now_ns);
}

void Server::accept_some(Share share, std::uint64_t now_ns) {
  const int listener_fd = (share == Share::root ? root_listener_ : listener_).get();
  for (std::size_t i = 0; i < kMaxAtOnce && next_accept_ns(share, now_ns) <= now_ns; i++) {
    auto accepted = kernel::accept_one(listener_fd);
    if (!accepted || !*accepted) return;
    (void)make_room(share, now_ns);  // succeeds: next_accept_ns() was checked
    admit(**std::move(accepted), share, now_ns);
  }
}

void Server::admit(Fd client, Share share, std::uint64_t now_ns) {
  const auto peer = kernel::peer_credentials(client.get());
  const auto prepared = kernel::prepare_plain(client.get());
  if (!peer || !prepared) return closer_.close(std::move(client), now_ns);
  Connection connection;
  connection.share = share;
  // Other programs may connect to PATH as root. Such a connection counts as root's, if there is
  // room.
  if (peer->uid == limits_.root_uid && make_room(Share::root, now_ns))
    connection.share = Share::root;
  connection.peer = *peer;
  if (auto process = kernel::peer_process(client.get()); process)
    connection.peer_fd = *std::move(process);
  connection.end.fd = std::move(client);
  connection.since_ns = connection.progress_ns = now_ns;
  connections_.emplace(next_++, std::move(connection));
}

void Server::serve(ConnectionId id, Connection& connection, std::uint64_t now_ns) {
  if (connection.broken) return;
  const bool had_unsent = !connection.out.empty();
  flush(connection);
  if (!connection.out.empty() || connection.broken) return;
  if (had_unsent) connection.progress_ns = now_ns;
  if (connection.streams || !connection.in.has_message()) read(connection, now_ns);
  if (connection.broken) return;
  if (!connection.streams) {
    if (const auto message = connection.in.take()) {
      handle(id, connection, *message);
      flush(connection);
      if (connection.out.empty()) connection.progress_ns = now_ns;
    }
  }
  const std::size_t limit = connection.share == Share::root ? limits_.in_of_root : limits_.in;
  const bool more = !connection.streams && connection.in.has_message();
  if (!more && connection.in.size() > limit) connection.broken = true;
  if (connection.ended && !more && connection.out.empty()) connection.broken = true;
}

void Server::read(Connection& connection, std::uint64_t now_ns) {
  if (connection.ended) return;
  if (connection.needs_relay && !start_relay_of(connection, now_ns)) return;
  const int fd = connection.end.fd.get();
  if (connection.relayed) {
    std::vector<Fd> sockets;
    const auto open = kernel::receive_with_descriptors(fd, connection.in.bytes(), sockets);
    for (Fd& socket : sockets) connection.sockets.push_back(std::move(socket));
    if (!open || connection.sockets.size() > kMaxUntakenSockets) connection.broken = true;
    connection.ended = open && !*open;
    return;
  }
  const auto read = kernel::read_plain(fd, connection.in.bytes(), kBlock);
  if (!read) connection.broken = true;
  connection.ended = read && *read == kernel::Plain::ended;
  connection.needs_relay = read && *read == kernel::Plain::descriptors;
}

// False: not now; the caller tries again later, or the connection is broken.
bool Server::start_relay_of(Connection& connection, std::uint64_t now_ns) {
  if (ending_.size() >= kMaxEnding) return false;
  if (connection.share == Share::strangers) {
    std::size_t running = 0;
    Connection* first = nullptr;
    for (auto& [id, other] : connections_) {
      if (other.share == Share::root || !other.relayed) continue;
      running++;
      if (!other.broken && other.since_ns + limits_.grace_ns <= now_ns &&
          (first == nullptr || other.progress_ns < first->progress_ns))
        first = &other;
    }
    // A relay that SIGKILL does not end counts for a limited time only.
    for (const Ending& ending : ending_)
      if (ending.share == Share::strangers && ending.since_ns + 2 * limits_.relay_end_ns > now_ns)
        running++;
    if (running >= limits_.relays) {
      if (first != nullptr) first->broken = true;
      return false;
    }
    const std::uint64_t saved_ns = limits_.relay_every_ns * limits_.relays_at_once;
    const std::uint64_t due_ns =
        std::max(relay_credit_ns_, now_ns > saved_ns ? now_ns - saved_ns : 0);
    if (due_ns + limits_.relay_every_ns > now_ns) return false;
    relay_credit_ns_ = due_ns + limits_.relay_every_ns;
  }
  auto end = helpers_.relay(connection.end.fd);
  if (!end) {
    connection.broken = true;
    return false;
  }
  connection.end = *std::move(end);
  connection.relayed = true;
  connection.needs_relay = false;
  return true;
}

void Server::drop_idle(std::uint64_t now_ns) {
  for (auto& [id, connection] : connections_)
    if (connection.share == Share::strangers && !connection.streams &&
        connection.progress_ns + limits_.idle_ns <= now_ns)
      connection.broken = true;
}

void Server::drop_broken(std::uint64_t now_ns) {
  for (auto at = connections_.begin(); at != connections_.end();) {
    const auto next = std::next(at);
    if (at->second.broken) drop(at, now_ns);
    at = next;
  }
}

void Server::drop(Connections::iterator at, std::uint64_t now_ns) {
  Connection& connection = at->second;
  if (connection.relayed) {
    // The relay still holds copies, so these closes are not the last ones.
    connection.sockets.clear();
    connection.end.fd.reset();
    if (connection.end.process)
      ending_.push_back({std::move(connection.end.process), connection.share, now_ns});
  } else {
    closer_.close(std::move(connection.end.fd), now_ns);
  }
  connections_.erase(at);
}

void Server::end_relays(std::uint64_t now_ns) {
  std::erase_if(ending_, [](const Ending& one) { return kernel::reap(one.process.get()); });
  for (Ending& one : ending_) {
    if (one.killed || one.since_ns + limits_.relay_end_ns > now_ns) continue;
    (void)kernel::signal_process(one.process.get(), SIGKILL);
    one.killed = true;
  }
}

// A message that is not a call breaks the connection, as the protocol requires.
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

void Server::finish(ConnectionId connection) {
  const auto at = connections_.find(connection);
  if (at == connections_.end()) return;
  at->second.streams = false;
  at->second.progress_ns = kernel::boottime_ns();
}

void Server::put(Connection& connection, const Json& message) {
  connection.out += message.dump(-1, ' ', false, Json::error_handler_t::replace);
  connection.out += '\0';
  const bool limited = connection.streams && connection.share == Share::strangers;
  if (connection.out.size() > (limited ? kMaxOutOfStranger : kMaxOut)) connection.broken = true;
}

void Server::flush(Connection& connection) {
  while (!connection.out.empty() && !connection.broken) {
    const auto sent = kernel::send_some(connection.end.fd.get(), connection.out);
    if (!sent) connection.broken = true;
    if (!sent || *sent == 0) return;
    connection.out.erase(0, *sent);
  }
}

}  // namespace holdfast::rpc
