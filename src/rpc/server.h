// SPDX-License-Identifier: Apache-2.0
// A Varlink server: https://varlink.org. Messages are JSON objects, each with a NUL behind it;
// calls of one connection are answered in order.
//
// It serves at two sockets: PATH is for everybody, and PATH.root for root alone, so that strangers
// (who is not root) do not fill the queue in which root waits. Strangers have a share of
// everything, together, since one of them may have 65,536 user ids: of the connections
// (Limits::strangers), of the time of this process (a quarter), of the processes that descriptors
// need. Who of them has connected most often goes first when another wants in; nobody is turned
// away.
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

// What there is for clients. Times in ns.
struct Limits {
  std::size_t root = 32;                          // connections of root's
  std::size_t strangers = 48;                     // and of all others, together
  std::size_t in_of_root = std::size_t{1} << 20;  // bytes of one call
  std::size_t in = std::size_t{1} << 16;          // of a stranger's
  // A stranger has to have a call answered, and to have read the answer, within this time.
  std::uint64_t idle_ns = 10'000'000'000;
  // So long a connection has to ask something before it may have to make room.
  std::uint64_t grace_ns = 1'000'000'000;
  // Strangers are served so long at a time, and then not for three times as long as that took.
  std::uint64_t slice_ns = 20'000'000;
  std::size_t relays = 16;                      // processes for strangers that send descriptors
  std::uint64_t relay_every_ns = 100'000'000;   // one may be started so often,
  std::size_t relays_at_once = 8;               // or so many after a while without
  std::uint64_t relay_end_ns = 10'000'000'000;  // then one that is to end is killed
  uid_t root_uid = 0;                           // another one in tests
};

// The processes that are started for clients that need not be trusted.
struct Helpers {
  ConnectionFactory relay;
  StartCloser closer;  // empty: clients are trusted
};
[[nodiscard]] Helpers helper_processes();
[[nodiscard]] Helpers no_helpers();

// What is added to PATH.
inline constexpr char kRootSuffix[] = ".root";

// Not thread safe.
class Server {
 public:
  using Handler = std::function<Answer(const Call&)>;

  // Errors: as listen_at().
  [[nodiscard]] static Result<std::unique_ptr<Server>> create(const std::string& path,
                                                              Interface interface, Handler handler,
                                                              Helpers helpers, Limits limits = {});
  ~Server();

  // What to wait for until dispatch() has something to do.
  [[nodiscard]] kernel::Interest interest();
  // Answers a call of each of root's connections at most, and serves strangers for a slice.
  void dispatch();
  // One more reply of a call that was answered with `continues`. False: the connection is gone.
  bool send(ConnectionId connection, const Json& parameters);

 private:
  enum class Share { root, strangers };
  struct Connection {
    ServerEnd end;  // the connection itself, without a process, or its relay
    bool relayed = false;
    Share share = Share::strangers;
    kernel::PeerCredentials peer;
    Fd peer_fd;
    std::deque<Fd> sockets;
    Inbox in;
    std::string out;
    std::uint64_t since_ns = 0;     // accepted
    std::uint64_t progress_ns = 0;  // accepted, or had a call answered and read all of that
    bool needs_relay = false;       // what comes next has descriptors
    bool ended = false;             // it has sent all it will
    bool streams = false;           // a call is still being answered
    bool broken = false;
  };
  using Connections = std::map<ConnectionId, Connection>;
  struct Ending {  // a relay
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
  [[nodiscard]] Connections::iterator oldest(Share share, std::uint64_t now_ns);
  [[nodiscard]] std::size_t count(Share share) const;
  [[nodiscard]] std::size_t most(Share share) const;
  [[nodiscard]] std::uint64_t accepts_from(Share share, std::uint64_t now_ns);
  void serve(ConnectionId id, Connection& connection, std::uint64_t now_ns);
  void read(Connection& connection, std::uint64_t now_ns);
  [[nodiscard]] bool start_relay_of(Connection& connection, std::uint64_t now_ns);
  void drop_idle(std::uint64_t now_ns);
  void drop_broken(std::uint64_t now_ns);
  void drop(Connections::iterator at, std::uint64_t now_ns);
  void end_relays(std::uint64_t now_ns);
  [[nodiscard]] bool waits_for_us(Connection& connection) const;
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
  ConnectionId served_ = 0;              // the stranger that was served last
  std::uint64_t strangers_from_ns_ = 0;  // when they are served again
  std::uint64_t relay_credit_ns_ = 0;    // when the next relay would be due
};

}  // namespace holdfast::rpc

#endif  // HOLDFAST_RPC_SERVER_H
