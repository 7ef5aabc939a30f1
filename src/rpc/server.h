// SPDX-License-Identifier: Apache-2.0
// A Varlink server: https://varlink.org. Messages are JSON objects, each terminated by a NUL. The
// calls of one connection are answered in order.
//
// The server listens on two sockets. Every user may connect to PATH, and only root to PATH.root, so
// that other users cannot fill the queue in which root waits. "Strangers" are the clients that are
// not root. All strangers together have limits, because one user may own 65,536 user ids. The
// limits are for connections (Limits::strangers), for the time of this process (a quarter), and for
// relay processes. When all connections of strangers are in use, a new one replaces a connection of
// the user with the most connections. No stranger is refused.
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
#include "kernel/event_loop.h"
#include "kernel/sockets/local_socket.h"
#include "rpc/closer.h"
#include "rpc/inbox.h"
#include "rpc/relay.h"

namespace holdfast::rpc {

using Json = nlohmann::json;
using ConnectionId = std::uint64_t;

struct Call {
  // Removes and returns the first received socket that no call of this connection has taken.
  // nullopt: there is none.
  [[nodiscard]] std::optional<Fd> take_socket() const;
  // A parameter. nullopt: there is none of this name, or it is of another type. small_number(): a
  // number of a process or a descriptor, which fits an int.
  [[nodiscard]] std::optional<std::string> text(const char* name) const;
  [[nodiscard]] std::optional<std::uint64_t> number(const char* name) const;
  [[nodiscard]] std::optional<int> small_number(const char* name) const;

  ConnectionId connection = 0;
  kernel::PeerCredentials peer;
  std::string method;  // "io.holdfast.Control.Status"
  Json parameters;     // an object
  bool more = false;
  std::deque<Fd>* sockets = nullptr;  // borrowed from the connection during the call
  int peer_fd =
      -1;  // pidfd of the peer, borrowed; -1: it had ended before the connection was accepted
};

// The answer to a call: an error by its full name, or parameters.
struct Answer {
  std::string error;  // empty: success
  Json parameters = Json::object();
  bool continues = false;  // Server::send() will send more replies
};

// The standard error for a missing or invalid parameter: org.varlink.service.InvalidParameter.
[[nodiscard]] Answer invalid_parameter(const char* name);

struct Interface {
  std::string name;
  std::string description;  // the .varlink file
};

// Limits for clients. Times in ns, sizes in bytes.
struct Limits {
  std::size_t root = 2304;  // connections of root: each session has one
  // Connections of all strangers together, without those on which a call goes on: the handler permits
  // only so many of these.
  std::size_t strangers = 48;
  std::size_t in_of_root = std::size_t{1} << 20;  // size of one call of root
  std::size_t in = std::size_t{1} << 16;          // size of one call of a stranger
  // A stranger is disconnected if it does not complete a call, with the whole answer read, in this
  // time.
  std::uint64_t idle_ns = 10'000'000'000;
  // A connection is not replaced by a new one during this time after it was accepted.
  std::uint64_t grace_ns = 1'000'000'000;
  // Strangers are served for this time, and then paused for three times as long as it took.
  std::uint64_t slice_ns = 20'000'000;
  std::size_t relays = 16;                      // relay processes for strangers
  std::uint64_t relay_every_ns = 100'000'000;   // interval between starts of relays for strangers
  std::size_t relays_at_once = 8;               // burst of starts after a time without any
  std::uint64_t relay_end_ns = 10'000'000'000;  // a relay that has not ended by then is killed
  uid_t root_uid = 0;                           // another one in tests
};

// Starts the helper processes for clients that are not trusted.
struct Helpers {
  ConnectionFactory relay;
  StartCloser closer;  // empty: clients are trusted
};
// Real processes, and no processes (for trusted clients).
[[nodiscard]] Helpers helper_processes();
[[nodiscard]] Helpers no_helpers();

// Appended to PATH for root's socket.
inline constexpr char kRootSuffix[] = ".root";

// Not thread safe. The handler runs inside dispatch().
class Server {
 public:
  using Handler = std::function<Answer(const Call&)>;

  // Creates both sockets. The destructor removes them. Errors: of listen_at().
  [[nodiscard]] static Result<std::unique_ptr<Server>> create(const std::string& path,
                                                              Interface interface, Handler handler,
                                                              Helpers helpers, Limits limits = {});
  ~Server();

  // The descriptors and the time limit to wait for before the next dispatch(). Descriptors are
  // borrowed until then.
  [[nodiscard]] kernel::Interest interest();
  // Accepts connections, reads and answers. Handles at most one call per connection. Serves
  // strangers for at most Limits::slice_ns. Does not block, except in the handler.
  void dispatch();
  // Is there a connection of root?
  [[nodiscard]] bool serves_root() const { return count(Share::root) > 0; }
  // Sends one more reply to a call that was answered with `continues`. False: the connection has
  // ended or the client reads too slowly (4 MiB are unsent).
  bool send(ConnectionId connection, const Json& parameters);
  // There are no more replies to that call. The connection is again one that other limits hold for.
  void finish(ConnectionId connection);

 private:
  enum class Share { root, strangers };
  struct Connection {
    ServerEnd end;  // the connection itself, or its relay
    bool relayed = false;
    Share share = Share::strangers;
    kernel::PeerCredentials peer;
    Fd peer_fd;
    std::deque<Fd> sockets;
    Inbox in;
    std::string out;
    std::uint64_t since_ns = 0;     // time of accept
    std::uint64_t progress_ns = 0;  // time of accept, or when the client had read a whole answer
    bool needs_relay = false;       // the next bytes have a descriptor
    bool ended = false;             // the client has closed its writing end
    bool streams = false;           // a call with `continues` is in progress
    bool broken = false;            // to be dropped
  };
  using Connections = std::map<ConnectionId, Connection>;
  struct Ending {  // a relay whose connection was dropped
    Fd process;
    Share share;
    std::uint64_t since_ns;
    bool killed = false;
  };
  Server(std::string path, Fd listener, Fd root_listener, Interface interface, Handler handler,
         Helpers helpers, Limits limits);
  [[nodiscard]] std::vector<kernel::Awaited> awaited(std::uint64_t now_ns);
  [[nodiscard]] std::uint64_t due_ns(std::uint64_t now_ns);
  void serve_root(std::uint64_t now_ns);
  void serve_strangers(std::uint64_t now_ns);
  void accept_some(Share share, std::uint64_t now_ns);
  void admit(Fd client, Share share, std::uint64_t now_ns);
  [[nodiscard]] bool make_room(Share share, std::uint64_t now_ns);
  [[nodiscard]] Connections::iterator to_replace(Share share, std::uint64_t now_ns);
  [[nodiscard]] std::size_t count(Share share) const;
  [[nodiscard]] std::size_t max_connections(Share share) const;
  [[nodiscard]] std::uint64_t next_accept_ns(Share share, std::uint64_t now_ns);
  void serve(ConnectionId id, Connection& connection, std::uint64_t now_ns);
  void read(Connection& connection, std::uint64_t now_ns);
  [[nodiscard]] bool start_relay_of(Connection& connection, std::uint64_t now_ns);
  void drop_idle(std::uint64_t now_ns);
  void drop_broken(std::uint64_t now_ns);
  void drop(Connections::iterator at, std::uint64_t now_ns);
  void forgive_wait(std::uint64_t took_ns);
  void end_relays(std::uint64_t now_ns);
  [[nodiscard]] bool has_call(Connection& connection) const;
  void handle(ConnectionId id, Connection& connection, const std::string& message);
  [[nodiscard]] Answer answer(const Call& call) const;
  static void flush(Connection& connection);
  static void put(Connection& connection, const Json& message);

  std::string path_;
  Fd listener_;
  Fd root_listener_;
  Interface interface_;
  Handler handler_;
  Helpers helpers_;
  Limits limits_;
  Connections connections_;
  std::vector<Ending> ending_;
  Closer closer_;
  ConnectionId next_ = 1;
  ConnectionId served_ = 0;              // the last stranger that was served
  std::uint64_t strangers_from_ns_ = 0;  // strangers are paused until then
  std::uint64_t relay_credit_ns_ = 0;    // rate limit of relays: the last start, plus unused credit
};

}  // namespace holdfast::rpc

#endif  // HOLDFAST_RPC_SERVER_H
