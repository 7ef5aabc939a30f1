// SPDX-License-Identifier: Apache-2.0
//
// Each request has a thread of its own: a path may cross a file system that does not respond, and a
// connect may wait for room in the listener's queue. The main thread receives requests, and
// interrupts the threads of requests that the client has cancelled.
//
// The path of a file may be renamed, so the helper connects to a file by its descriptor number. Its
// working directory is /proc/self/fd, in a mount of its own.
#include "backend/connect_helper/process.h"

#include <fcntl.h>
#include <linux/openat2.h>
#include <poll.h>
#include <sys/socket.h>

#include <atomic>
#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <list>
#include <memory>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "backend/connect_helper/protocol.h"
#include "base/fd.h"
#include "kernel/cgroup/cgroup_files.h"
#include "kernel/process/namespaced_program.h"
#include "kernel/process/process.h"
#include "kernel/sockets/local_socket.h"
#include "kernel/sockets/passed_descriptors.h"
#include "kernel/sockets/socket_calls.h"

namespace holdfast::backend::connect_helper {
namespace {

using Kind = HelperRequest::Kind;

constexpr int kChannelFd = kernel::kProgramChannelFd;
constexpr int kEndingMs = 1;  // a thread that is about to block can miss one, so interrupt again

struct Request {
  HelperRequest message;
  Fd reply;
  std::vector<Fd> descriptors;  // those after the reply socket
  bool given_up = false;        // the client has cancelled, or has closed its end
  std::atomic<bool> done = false;
  std::thread thread = {};
};

// The address of a file by its descriptor, for example "7", relative to /proc/self/fd.
std::string address_of(int fd) {
  sockaddr_un address = {};
  address.sun_family = AF_UNIX;
  const std::string number = std::to_string(fd);
  std::memcpy(address.sun_path, number.data(), number.size());
  return {reinterpret_cast<const char*>(&address),
          offsetof(sockaddr_un, sun_path) + number.size() + 1};
}

int error_of(const Result<void>& done) { return done ? 0 : done.error().code; }

int probe(int file_fd) {
  const auto socket = kernel::make_unix_datagram_socket();
  if (!socket) return socket.error().code;
  return error_of(kernel::connect_socket(socket->get(), address_of(file_fd)));
}

Result<Fd> find(const Request& request) {
  const bool relative = request.message.kind == Kind::find_from_directory;
  const int start_fd = relative ? request.descriptors.front().get() : AT_FDCWD;
  // Magic links such as /proc/self/fd/5 would name a file of this process, not of the caller.
  return kernel::find_file(start_fd, request.message.path.data(), 0, RESOLVE_NO_MAGICLINKS);
}

void answer(const Request& request, const HelperReply& reply, const std::vector<int>& descriptors) {
  // Fails if the client has closed its end; nothing is left to do then.
  (void)kernel::send_packet(request.reply.get(),
                            {reinterpret_cast<const char*>(&reply), sizeof(reply)}, descriptors);
}

// Has the client closed its end? Then it has answered the call without this reply, for instance
// because this process was stopped.
bool is_late(const Request& request) {
  const auto events = kernel::poll_for({{request.reply.get(), 0}}, 0);
  return !events || ((*events)[0] & POLLHUP);
}

void serve(Request& request) {
  HelperReply reply;
  if (is_late(request)) {
    reply.error = ECONNABORTED;
  } else if (request.message.kind == Kind::connect) {
    reply.error = error_of(kernel::connect_socket(request.descriptors[0].get(),
                                                  address_of(request.descriptors[1].get())));
    request.descriptors.clear();  // so that the socket is closed when the caller closes it
    answer(request, reply, {});
  } else if (request.message.kind == Kind::look) {
    reply.probe = probe(request.descriptors.front().get());
    answer(request, reply, {});
  } else if (const auto file = find(request)) {
    reply.probe = probe(file->get());
    answer(request, reply, {file->get()});
  } else {
    reply.error = file.error().code;
    answer(request, reply, {});
  }
  request.descriptors.clear();
  request.done = true;
}

// The number of descriptors after the reply socket.
std::size_t expected(Kind kind) {
  switch (kind) {
    case Kind::find_from_root:
      return 0;
    case Kind::connect:
      return 2;
    default:
      return 1;
  }
}

class Requests {
 public:
  // False: the channel has ended, or a request is malformed.
  bool receive() {
    std::vector<Fd> descriptors;
    const auto bytes = kernel::receive_packet(kChannelFd, sizeof(HelperRequest), descriptors);
    if (!bytes) return bytes.error().code == EINTR;
    if (!*bytes || (*bytes)->size() != sizeof(HelperRequest)) return false;
    auto request = std::make_unique<Request>();
    std::memcpy(&request->message, (*bytes)->data(), sizeof(HelperRequest));
    request->message.path.back() = '\0';
    if (descriptors.size() != expected(request->message.kind) + 1) return false;
    request->reply = std::move(descriptors.front());
    descriptors.erase(descriptors.begin());
    request->descriptors = std::move(descriptors);
    Request* self = request.get();
    try {
      request->thread = std::thread([self] { serve(*self); });
    } catch (const std::system_error&) {
      HelperReply reply = {};
      reply.error = EAGAIN;
      answer(*request, reply, {});
      return true;
    }
    all_.push_back(std::move(request));
    return true;
  }

  // Waits for one event and handles it. False: as receive().
  bool wait() {
    std::vector<kernel::Awaited> awaited = {{kChannelFd, POLLIN}};
    bool ending = false;
    for (const auto& request : all_) {
      awaited.push_back({request->given_up ? -1 : request->reply.get(), POLLRDHUP});
      ending |= request->given_up;
    }
    const auto events = kernel::poll_for(awaited, ending ? kEndingMs : -1);
    if (!events) return false;
    std::size_t index = 1;
    for (auto at = all_.begin(); at != all_.end(); index++) {
      Request& request = **at;
      if ((*events)[index] != 0) request.given_up = true;
      if (request.given_up && !request.done)
        kernel::interrupt_thread(request.thread.native_handle());
      if (!request.given_up || !request.done) {
        ++at;
        continue;
      }
      request.thread.join();
      at = all_.erase(at);
    }
    return (*events)[0] == 0 || receive();
  }

 private:
  std::list<std::unique_ptr<Request>> all_;
};

bool get_ready() {
  std::vector<Fd> none;
  if (!kernel::prepare_interrupts()) return false;
  if (!kernel::send_byte(kChannelFd, kHelperRuns)) return false;
  const auto received = kernel::receive_packet(kChannelFd, 1, none);
  if (!received || !*received || (*received)->front() != kBecomeUndumpable) return false;
  if (!kernel::become_opaque()) return false;
  kernel::raise_descriptor_limit();
  return static_cast<bool>(kernel::send_byte(kChannelFd, kHelperIsUndumpable));
}

}  // namespace

bool is_connect_helper_argument(std::string_view argument) {
  return argument == kConnectHelperArgument;
}

// Exits without waiting for the threads, because some may never end.
void run_connect_helper() {
  kernel::set_command_name("holdfast-connect");
  kernel::end_with_parent();
  if (!get_ready()) std::_Exit(EXIT_FAILURE);
  Requests requests;
  while (requests.wait()) {
  }
  std::_Exit(EXIT_SUCCESS);
}

}  // namespace holdfast::backend::connect_helper
