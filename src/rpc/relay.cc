// SPDX-License-Identifier: Apache-2.0
#include "rpc/relay.h"

#include <poll.h>

#include <cstdlib>
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
// A client that sent its own end of the connection would be there for ever; who sends sockets has a
// question about them and then goes.
constexpr int kPatienceMs = 10000;
constexpr unsigned kCloseUs = 300000;
constexpr std::size_t kMaxKept = 64;  // sockets of one connection

// One way. Reads only when nothing is left to be sent, so it is never ahead of its reader.
struct Way {
  int from;
  int to;
  std::string bytes;             // not sent yet
  std::vector<int> descriptors;  // to go with the first of them
  bool ended = false;            // nothing will come any more

  [[nodiscard]] short reads() const { return !ended && bytes.empty() ? POLLIN : 0; }
  [[nodiscard]] short writes() const { return bytes.empty() ? 0 : POLLOUT; }

  // False: the reader is gone.
  bool send() {
    if (bytes.empty()) return true;
    const auto sent = kernel::send_with_descriptors(to, bytes, descriptors);
    if (!sent) return false;
    if (*sent > 0) descriptors.clear();
    bytes.erase(0, *sent);
    return true;
  }

  // What is not sent yet is dropped.
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

// False: what came is more than a client may send.
bool receive(Way& way, std::vector<Fd>& kept) {
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

// The exit code. Whatever ends it has the server's end closed first, but its own failures.
int relay(std::vector<Fd>& kept) {
  Way in{kClientFd, kServerFd, {}, {}, false};
  Way out{kServerFd, kClientFd, {}, {}, false};
  bool client_is_there = true;
  // The server closes its own once it has written this: until then it must not be read.
  const auto begun = kernel::poll_readable({kServerFd}, -1);
  std::string first;
  if (!begun || !kernel::receive_some(kServerFd, first, kernel::Wait::no)) return 1;
  if (first.empty()) return 0;
  out.bytes = first.substr(1);
  for (;;) {
    const auto client_events = static_cast<short>(in.reads() | out.writes());
    const auto server_events = static_cast<short>(out.reads() | in.writes());
    // Who has hung up is told so at each look, so only who is waited for is looked at.
    const auto ready = kernel::poll_for({{client_events != 0 ? kClientFd : -1, client_events},
                                         {server_events != 0 ? kServerFd : -1, server_events}},
                                        kept.empty() ? -1 : kPatienceMs);
    if (!ready) return 1;
    if ((*ready)[0] == 0 && (*ready)[1] == 0) client_is_there = false;
    if (out.reads() != 0 && (*ready)[1] != 0) {
      const auto open = kernel::receive_some(out.from, out.bytes, kernel::Wait::no);
      out.ended = !open || !*open;
    }
    if (in.reads() != 0 && (*ready)[0] != 0 && !receive(in, kept)) client_is_there = false;
    if (!in.send()) return 1;
    if (client_is_there && !out.send()) client_is_there = false;
    if (!client_is_there) {
      out.bytes.clear();
      if (!in.ended) in.end();
    }
    // Only now: until the server has closed what it got of `kept`, it must not be the last to.
    if (out.ended && out.bytes.empty()) return 0;
  }
}

}  // namespace

Result<ServerEnd> start_relay(Fd& client) {
  auto ends = kernel::make_stream();
  if (!ends) return std::move(ends).error();
  auto process = kernel::start_own_program(kRelayArgument, {client.get(), (*ends)[1].get()});
  if (!process) return std::move(process).error();
  ServerEnd end{std::move((*ends)[0]), *std::move(process)};
  // The relay holds the client too, and waits for this byte or the end, so this is never the last.
  client.reset();
  if (auto sent = kernel::send_some(end.fd.get(), "\n"); !sent) return std::move(sent).error();
  return end;
}

Result<ServerEnd> no_relay(Fd& client) { return ServerEnd{std::move(client), Fd()}; }

void run_relay() {
  kernel::set_command_name("holdfast-relay");
  kernel::end_with_parent();          // an end of the connection may be among what it keeps
  auto& kept = *new std::vector<Fd>;  // never closed but by the exit
  const int code = relay(kept);
  // What was sent to the server and not read is closed by it in the same system call as ended this,
  // in which it may have been preempted.
  if (!kept.empty()) kernel::sleep_us(kCloseUs);
  std::_Exit(code);
}

}  // namespace holdfast::rpc
