// SPDX-License-Identifier: Apache-2.0
// A Varlink server on one socket: https://varlink.org. Messages are JSON objects, each with a NUL
// behind it; calls of one connection are answered in order.
#ifndef HOLDFAST_RPC_SERVER_H
#define HOLDFAST_RPC_SERVER_H

#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <vector>

#include "base/fd.h"
#include "base/result.h"
#include "kernel/local_socket.h"
#include "rpc/relay.h"

namespace holdfast::rpc {

using Json = nlohmann::json;
using ConnectionId = std::uint64_t;

struct Call {
  // Sockets that came with this call or before, and that no call has taken; the first one.
  [[nodiscard]] std::optional<Fd> take_socket() const;

  ConnectionId connection = 0;
  kernel::PeerCredentials peer;
  std::string method;  // "io.holdfast.Control.Status"
  Json parameters;     // an object
  bool more = false;
  std::deque<Fd>* sockets = nullptr;
  int peer_fd = -1;  // a pidfd of the peer, borrowed; -1: it had ended when it was accepted
};

// What a call is answered with: parameters, or an error by its full name.
struct Answer {
  std::string error;
  Json parameters = Json::object();
  bool continues = false;  // more will follow through send()
};

// What is answered to a parameter that is missing, or none of what it may be.
[[nodiscard]] Answer invalid_parameter(const char* name);

struct Interface {
  std::string name;
  std::string description;  // the .varlink file
};

// Not thread safe.
class Server {
 public:
  using Handler = std::function<Answer(const Call&)>;

  using Doorway = std::function<Result<Door>(Fd client, Entry entry)>;

  // Each connection is passed through `doorway`, start_relay() or no_relay(). Errors: as
  // listen_at().
  [[nodiscard]] static Result<std::unique_ptr<Server>> create(const std::string& path,
                                                              Interface interface, Handler handler,
                                                              Doorway doorway);
  ~Server();

  [[nodiscard]] std::vector<int> poll_fds() const;
  // Whether something waits to be sent: then dispatch() again soon.
  [[nodiscard]] bool is_behind() const;
  void dispatch();
  // One more reply of a call that was answered with `continues`. False: the connection is gone.
  bool send(ConnectionId connection, const Json& parameters);

 private:
  struct Connection {
    Door door;  // its fd is closed when the connection is broken
    kernel::PeerCredentials peer;
    Fd peer_fd;
    std::deque<Fd> sockets;
    std::string in;
    std::string out;
    bool streams = false;  // a call is still being answered
    bool broken = false;
  };
  Server(std::string path, Fd listener, Interface interface, Handler handler, Doorway doorway);
  [[nodiscard]] bool has_room() const;
  [[nodiscard]] std::size_t connections_of(uid_t uid) const;
  void accept_all();
  void serve(ConnectionId id, Connection& connection);
  void handle(ConnectionId id, Connection& connection, const std::string& message);
  [[nodiscard]] Answer answer(const Call& call) const;
  [[nodiscard]] static bool is_over(const Connection& connection);
  static void flush(Connection& connection);
  static void put(Connection& connection, const Json& message);

  std::string path_;
  Fd listener_;
  Interface interface_;
  Handler handler_;
  Doorway doorway_;
  std::map<ConnectionId, Connection> connections_;
  ConnectionId next_ = 1;
};

}  // namespace holdfast::rpc

#endif  // HOLDFAST_RPC_SERVER_H
