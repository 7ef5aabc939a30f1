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
#include <unistd.h>

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
#include "kernel/memory.h"
#include "kernel/process/namespaced_program.h"
#include "kernel/process/process.h"
#include "kernel/sockets/local_socket.h"
#include "kernel/sockets/passed_descriptors.h"
#include "kernel/sockets/socket_calls.h"
#include "kernel/sockets/sockets.h"

namespace holdfast::backend::connect_helper {
namespace {

using Kind = HelperRequest::Kind;

constexpr int kChannelFd = kernel::kProgramChannelFd;
// Of the descriptors after the reply socket: the first one that a message passes.
constexpr std::size_t kFirstPassed = 3;
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

bool is_call(Kind kind) { return kind >= Kind::bind; }

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

// The thread gets the caller's working directory and umask, for paths in addresses.
bool take_place(const Request& request) {
  return kernel::use_own_place(request.descriptors[2].get(), request.message.umask);
}

// Writes the descriptors that are passed in place of their indexes, and this process in place of the
// caller. False: the message is malformed.
bool complete(std::string& control, const Request& request, bool may_name_others) {
  for (std::size_t at = 0; control.size() - at >= sizeof(cmsghdr);) {
    cmsghdr header = {};
    std::memcpy(&header, control.data() + at, sizeof(header));
    if (header.cmsg_len < sizeof(header) || header.cmsg_len > control.size() - at) return false;
    const std::size_t end = at + header.cmsg_len;
    if (header.cmsg_level == SOL_SOCKET && header.cmsg_type == SCM_RIGHTS) {
      for (std::size_t place = at + CMSG_LEN(0); place + sizeof(int) <= end; place += sizeof(int)) {
        std::uint32_t index = 0;
        std::memcpy(&index, control.data() + place, sizeof(index));
        if (index >= request.descriptors.size() - kFirstPassed) return false;
        const int fd = request.descriptors[kFirstPassed + index].get();
        std::memcpy(control.data() + place, &fd, sizeof(fd));
      }
    } else if (header.cmsg_level == SOL_SOCKET && header.cmsg_type == SCM_CREDENTIALS &&
               header.cmsg_len == CMSG_LEN(sizeof(ucred)) && !may_name_others) {
      ucred who = {};
      std::memcpy(&who, control.data() + at + CMSG_LEN(0), sizeof(who));
      if (who.pid == request.message.caller_pid) who.pid = kernel::own_pid();
      std::memcpy(control.data() + at + CMSG_LEN(0), &who, sizeof(who));
    }
    const std::size_t step = CMSG_ALIGN(header.cmsg_len);
    if (step >= control.size() - at) break;
    at += step;
  }
  return true;
}

// Says that the caller's process sends, which only CAP_SYS_ADMIN may say.
std::string credentials_of(pid_t pid) {
  const ucred who = {.pid = pid, .uid = ::getuid(), .gid = ::getgid()};
  cmsghdr header = {};
  header.cmsg_len = CMSG_LEN(sizeof(who));
  header.cmsg_level = SOL_SOCKET;
  header.cmsg_type = SCM_CREDENTIALS;
  std::string part(CMSG_SPACE(sizeof(who)), '\0');
  std::memcpy(part.data(), &header, sizeof(header));
  std::memcpy(part.data() + CMSG_LEN(0), &who, sizeof(who));
  return part;
}

bool names_credentials(std::string_view control) {
  for (std::size_t at = 0; control.size() - at >= sizeof(cmsghdr);) {
    cmsghdr header = {};
    std::memcpy(&header, control.data() + at, sizeof(header));
    if (header.cmsg_level == SOL_SOCKET && header.cmsg_type == SCM_CREDENTIALS) return true;
    const std::size_t step = CMSG_ALIGN(header.cmsg_len);
    if (step < sizeof(header) || step >= control.size() - at) break;
    at += step;
  }
  return false;
}

Result<std::int64_t> send(const Request& request, kernel::Message message) {
  const int socket_fd = request.descriptors[0].get();
  HF_TRY_ASSIGN(const int family, kernel::socket_family(socket_fd));
  const bool records = family == AF_UNIX || family == AF_NETLINK;
  const bool privileged = records && kernel::has_sys_admin();
  if (family == AF_NETLINK) kernel::bind_netlink(socket_fd, request.message.caller_pid);
  const std::string plain = message.control;
  if (!complete(message.control, request, privileged))
    return Error{EINVAL, "complete a message", {}, {}};
  if (privileged && request.message.caller_pid > 0 && !names_credentials(plain)) {
    kernel::Message named = message;
    named.control = credentials_of(request.message.caller_pid) + message.control;
    auto sent = kernel::send_message(socket_fd, named);
    if (sent || sent.error().code != EPERM) return sent;
    // It is privileged in its own user namespace only.
    message.control = plain;
    if (!complete(message.control, request, false))
      return Error{EINVAL, "complete a message", {}, {}};
  }
  return kernel::send_message(socket_fd, message);
}

Result<std::int64_t> call(Request& request) {
  const HelperRequest& asked = request.message;
  const int socket_fd = request.descriptors[0].get();
  if (asked.kind == Kind::listen) {
    HF_TRY(kernel::listen_socket(socket_fd, asked.argument));
    return std::int64_t{0};
  }
  if (asked.kind == Kind::copy)
    return kernel::copy_to_socket(socket_fd, request.descriptors[1].get(), request.message.copy);
  HF_TRY_ASSIGN(const auto body,
                kernel::read_memory_file(
                    request.descriptors[1].get(),
                    std::size_t{asked.address_bytes} + asked.control_bytes + asked.data_bytes));
  if (!take_place(request)) return Error{EPERM, "take the caller's place", {}, {}};
  const std::string address = body.substr(0, asked.address_bytes);
  if (asked.kind == Kind::send)
    return send(request, {.data = body.substr(asked.address_bytes + asked.control_bytes),
                          .address = address,
                          .control = body.substr(asked.address_bytes, asked.control_bytes),
                          .flags = asked.argument});
  if (asked.kind == Kind::connect_address) {
    const auto family = kernel::socket_family(socket_fd);
    if (family && *family == AF_NETLINK) kernel::bind_netlink(socket_fd, asked.caller_pid);
    HF_TRY(kernel::connect_socket(socket_fd, address));
    return std::int64_t{0};
  }
  HF_TRY(kernel::bind_socket_as(socket_fd, address, asked.caller_pid));
  return std::int64_t{0};
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
  } else if (is_call(request.message.kind)) {
    const auto made = call(request);
    reply.error = made ? 0 : made.error().code;
    reply.sent = made ? *made : 0;
    reply.offset = request.message.copy.offset;
    request.descriptors.clear();  // as above
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

// The number of descriptors after the reply socket. Of a send: without those that are passed.
std::size_t expected(Kind kind) {
  switch (kind) {
    case Kind::find_from_root:
      return 0;
    case Kind::connect:
    case Kind::copy:
      return 2;
    case Kind::bind:
    case Kind::connect_address:
    case Kind::send:
      return kFirstPassed;
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
    const std::size_t needed = expected(request->message.kind) + 1;
    if (descriptors.size() < needed) return false;
    if (descriptors.size() > needed && request->message.kind != Kind::send) return false;
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
  kernel::block_pipe_signal();  // threads inherit this
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
