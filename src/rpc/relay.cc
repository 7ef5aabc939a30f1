// SPDX-License-Identifier: Apache-2.0
#include "rpc/relay.h"

#include <poll.h>

#include <cstdlib>
#include <tuple>
#include <utility>
#include <vector>

#include "kernel/process/process.h"
#include "kernel/sockets/local_socket.h"
#include "kernel/sockets/passed_descriptors.h"
#include "kernel/sockets/sockets.h"

namespace holdfast::rpc {
namespace {

constexpr int kClientFd = 3;
constexpr int kServerFd = 4;
// A client could send its own end of the connection, and then the relay would never read the end.
// So a client that has sent sockets is disconnected after this time without activity.
constexpr int kPatienceMs = 10000;
constexpr unsigned kCloseUs = 300000;
constexpr std::size_t kMaxKept = 64;  // sockets received from one client

// One direction. It reads only after everything has been sent, so it buffers at most one read.
struct Direction {
  int from;
  int to;
  std::string bytes;             // not sent yet
  std::vector<int> descriptors;  // to be sent with the first byte; borrowed
  bool ended = false;            // the sender has closed

  [[nodiscard]] short read_events() const { return !ended && bytes.empty() ? POLLIN : 0; }
  [[nodiscard]] short write_events() const { return bytes.empty() ? 0 : POLLOUT; }

  // False: the receiver has closed.
  bool send() {
    if (bytes.empty()) return true;
    const auto sent = kernel::send_with_descriptors(to, bytes, descriptors);
    if (!sent) return false;
    if (*sent > 0) descriptors.clear();
    bytes.erase(0, *sent);
    return true;
  }

  // Drops unsent bytes.
  void end() {
    ended = true;
    bytes.clear();
    descriptors.clear();
    kernel::shutdown_write(to);
  }
};

bool is_socket(int fd) {
  const auto file = kernel::describe_file(fd);
  return file && file->socket;
}

// False: an error, or more descriptors than a client may send.
bool receive(Direction& way, std::vector<Fd>& kept) {
  std::vector<Fd> descriptors;
  const auto open = kernel::receive_with_descriptors(way.from, way.bytes, descriptors);
  for (Fd& fd : descriptors) {
    if (!is_socket(fd.get())) continue;
    way.descriptors.push_back(fd.get());
    kept.push_back(std::move(fd));
  }
  if (!open || kept.size() > kMaxKept) return false;
  if (!*open) way.end();
  return true;
}

// Returns the exit code. It returns only after the server has closed its end, or after a failure.
int relay(std::vector<Fd>& kept) {
  Direction in{kClientFd, kServerFd, {}, {}, false};
  Direction out{kServerFd, kClientFd, {}, {}, false};
  bool client_is_there = true;
  // The server writes one byte after it has closed its copy of the connection. Until then the relay
  // must not read the connection.
  const auto begun = kernel::poll_readable({kServerFd}, -1);
  std::string first;
  if (!begun || !kernel::receive_some(kServerFd, first, kernel::Wait::no)) return 1;
  if (first.empty()) return 0;
  out.bytes = first.substr(1);
  for (;;) {
    const auto client_events = static_cast<short>(in.read_events() | out.write_events());
    const auto server_events = static_cast<short>(out.read_events() | in.write_events());
    // poll(2) always reports a hang-up, so a descriptor without requested events is left out.
    const auto ready = kernel::poll_for({{client_events != 0 ? kClientFd : -1, client_events},
                                         {server_events != 0 ? kServerFd : -1, server_events}},
                                        kept.empty() ? -1 : kPatienceMs);
    if (!ready) return 1;
    if ((*ready)[0] == 0 && (*ready)[1] == 0) client_is_there = false;
    if (out.read_events() != 0 && (*ready)[1] != 0) {
      const auto open = kernel::receive_some(out.from, out.bytes, kernel::Wait::no);
      out.ended = !open || !*open;
    }
    if (in.read_events() != 0 && (*ready)[0] != 0 && !receive(in, kept)) client_is_there = false;
    if (!in.send()) return 1;
    if (client_is_there && !out.send()) client_is_there = false;
    if (!client_is_there) {
      out.bytes.clear();
      if (!in.ended) in.end();
    }
    // Return only now: the server must close its copies of the sockets in `kept` before this
    // process exits, so that its close is never the last one.
    if (out.ended && out.bytes.empty()) return 0;
  }
}

}  // namespace

Result<ServerEnd> start_relay(Fd& client) {
  HF_TRY_ASSIGN(auto ends, kernel::make_stream());
  HF_TRY_ASSIGN(auto process,
                kernel::start_own_program(kRelayArgument, {client.get(), ends[1].get()}));
  ServerEnd end{std::move(ends[0]), std::move(process)};
  // The relay also holds the connection and waits for the byte below, so this close is not the
  // last.
  client.reset();
  HF_TRY_ASSIGN(std::ignore, kernel::send_some(end.fd.get(), "\n"));
  return end;
}

Result<ServerEnd> no_relay(Fd& client) { return ServerEnd{std::move(client), Fd()}; }

void run_relay() {
  kernel::set_command_name("holdfast-relay");
  kernel::end_with_parent();          // `kept` may contain an end of this connection
  auto& kept = *new std::vector<Fd>;  // closed only by the exit of the process
  const int code = relay(kept);
  // The server's close of its end also closes the sockets that it has not received. This process
  // may see the end of the stream before that system call has finished.
  if (!kept.empty()) kernel::sleep_us(kCloseUs);
  std::_Exit(code);
}

}  // namespace holdfast::rpc
