// SPDX-License-Identifier: Apache-2.0
// Any bytes to the Varlink server, over a socket: it answers or disconnects, each answer is one
// JSON object, there are no more of them than calls, and the next client is served.
#include <stdlib.h>

#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

#include "kernel/sockets/local_socket.h"
#include "rpc/message.h"
#include "rpc/server.h"

using namespace holdfast;

namespace {

void require(bool holds) {
  if (!holds) std::abort();
}

constexpr std::size_t kAtOnce = 16384;  // what a socket takes without waiting for its reader
constexpr char kInterface[] = "io.holdfast.Control";

rpc::Answer answer(const rpc::Call& call) {
  const std::string name = kInterface;
  if (call.method == name + ".Monitor" && call.more) return {"", rpc::Json::object(), true};
  if (call.method == name + ".Status") return {"", call.parameters, false};
  return {"org.varlink.service.MethodNotFound", {{"method", call.method}}, false};
}

struct Fixture {
  Fixture() {
    char name[] = "/tmp/holdfast-fuzz-XXXXXX";
    require(mkdtemp(name) != nullptr);
    path = std::string(name) + "/socket";
    auto made = rpc::Server::create(path, {kInterface, "interface io.holdfast.Control"}, answer,
                                    rpc::no_helpers());
    require(static_cast<bool>(made));
    server = *std::move(made);
  }
  std::string path;
  std::unique_ptr<rpc::Server> server;
};

// What came back, until there is no more.
std::string exchange(Fixture& fixture, std::string_view bytes) {
  auto fd = kernel::connect_to(fixture.path + rpc::kRootSuffix);
  require(static_cast<bool>(fd));
  std::string back;
  while (!bytes.empty()) {
    const auto sent = kernel::send_some(fd->get(), bytes.substr(0, kAtOnce));
    if (!sent) break;
    bytes.remove_prefix(*sent);
    fixture.server->dispatch();
    if (const auto open = kernel::receive_some(fd->get(), back, kernel::Wait::no); !open || !*open)
      break;
  }
  for (;;) {  // a call at a time
    const std::size_t before = back.size();
    fixture.server->dispatch();
    const auto open = kernel::receive_some(fd->get(), back, kernel::Wait::no);
    if (!open || !*open || back.size() == before) return back;
  }
}

std::size_t count_messages(std::string_view bytes) {
  std::size_t count = 0;
  for (const char c : bytes) count += c == '\0' ? 1 : 0;
  return count;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static Fixture fixture;
  const std::string_view input(reinterpret_cast<const char*>(data), size);
  const std::string back = exchange(fixture, input);
  require(back.empty() || back.back() == '\0');
  require(count_messages(back) <= count_messages(input));
  for (std::string_view rest = back; !rest.empty();) {
    const std::size_t end = rest.find('\0');
    require(rpc::parse_message(rest.substr(0, end)).is_object());
    rest.remove_prefix(end + 1);
  }
  constexpr std::string_view kCall("{\"method\":\"io.holdfast.Control.Status\"}\0", 40);
  require(exchange(fixture, kCall) == std::string("{\"parameters\":{}}\0", 18));
  return 0;
}
