// SPDX-License-Identifier: Apache-2.0
//
// Two ways to the door. It finds the file that the path names, with the caller's rights, and hands
// it over. The file that a socket is bound to is that socket's for good: bind() always makes a new
// one. So who listens there is known, is judged, and is who the door then connects to, whatever is
// renamed meanwhile. What the caller's memory says is read once.
//
// An abstract name may come to be another socket's between a look and the connect. And Landlock
// keeps the tree from abstract sockets outside, which a door without its domain would undo.
#include "backend/connect_helper/handler.h"

#include <sys/socket.h>
#include <sys/un.h>

#include <algorithm>
#include <cerrno>
#include <cstddef>
#include <cstring>

#include "backend/calls/descriptor_path.h"
#include "kernel/sockets/socket_calls.h"
#include "kernel/sockets/sockets.h"

namespace holdfast::backend::connect_helper {
namespace {

constexpr std::size_t kMaxAddressBytes = sizeof(sockaddr_storage);
// So that others can be answered while nobody is at the door (backend/calls/jobs.cc has the whole number).
constexpr long kMaxPendingConnects = 256;
constexpr std::string_view kGone =
    "the process that connects unix sockets for the command is gone or stopped: connects that need "
    "it are refused";

// The kernel refuses what is no address of the family, and a datagram socket is disconnected by
// AF_UNSPEC. Neither finds anybody.
bool names_a_socket(const std::string& address) {
  sa_family_t family = AF_UNSPEC;
  if (address.size() <= offsetof(sockaddr_un, sun_path) || address.size() > sizeof(sockaddr_un))
    return false;
  std::memcpy(&family, address.data(), sizeof(family));
  return family == AF_UNIX;
}

}  // namespace

bool needs_connect_helper(const hf_tables& tables, const hf_profile& profile) {
  for (std::uint32_t i = 0; i < profile.socket_count; i++) {
    const hf_socket_rule& rule = tables.socket_rules[profile.socket_first + i];
    if (!(rule.ops & HF_SOCK_CONNECT) || !(rule.families & HF_FAMILY_UNIX)) continue;
    if (rule.peer_count > 0 || rule.verdict != HF_SOCK_ALLOW) return true;
  }
  return false;
}

// Shared with the jobs.
struct UnixConnectHandler::PendingConnect {
  PendingConnect(Connecting& from, std::shared_ptr<int> ticket)
      : call(from.call),
        socket(std::move(from.socket)),
        cookie(from.cookie),
        request(from.request),
        by_peer(from.by_peer),
        slot(std::move(ticket)) {}

  seccomp_notif call;
  Fd socket;
  std::uint64_t cookie;
  hf_request request;
  bool by_peer;
  std::shared_ptr<int> slot;  // among those at the door
  std::string address = {};   // as the caller's memory has it
  std::string path = {};      // empty: the file is known, or there is none
  Fd directory = {};          // where a relative path begins
  Fd file = {};               // whom it is about, once that is known
  bool gone = false;          // the door is
};

Answer UnixConnectHandler::refuse_unknown(const PendingConnect& pending,
                                          const kernel::TaskDirectory& task) {
  hf_request request = pending.request;
  request.flags |= HF_REQ_FACTS_MISSING;
  const int error = context_.judge(pending.call, task, request, pending.cookie, 1);
  return Answer::error(error ? error : EPERM);
}

int UnixConnectHandler::judge_own(const PendingConnect& pending,
                                  const kernel::TaskDirectory& task) {
  return pending.by_peer ? 0
                         : context_.judge(pending.call, task, pending.request, pending.cookie, 1);
}

void UnixConnectHandler::warn_once(std::string_view what) {
  if (!warned_ && context_.notice) context_.notice(what);
  warned_ = true;
}

void UnixConnectHandler::close(std::string_view why) {
  closed_ = true;
  warn_once(why);
}

// An answer: there is no slot, or it cannot be known.
std::optional<Answer> UnixConnectHandler::read_address(PendingConnect& pending,
                                                       const kernel::TaskDirectory& task) {
  const std::string path(pending.address.data() + offsetof(sockaddr_un, sun_path),
                         pending.address.size() - offsetof(sockaddr_un, sun_path));
  pending.path = path.substr(0, path.find('\0'));
  if (pending.path.empty() || closed_ || !helper_->same_identity_as(task))
    return refuse_unknown(pending, task);
  const auto status = task.status();
  if (!status) return Answer::error(EPERM);
  Result<Fd> opened = Fd();
  const auto own = descriptor_of_path(pending.path, status->innermost_pid);
  if (own) {
    pending.path.clear();
    opened = task.open_descriptor(*own);
    if (opened) pending.file = std::move(*opened);
  } else if (!pending.path.starts_with('/')) {
    opened = task.working_directory();
    if (opened) pending.directory = std::move(*opened);
  }
  if (opened) return std::nullopt;
  return own && opened.error().code == ENOENT ? Answer::error(ENOENT)
                                              : refuse_unknown(pending, task);
}

Answer UnixConnectHandler::start(const PendingConnectPtr& pending,
                                 const kernel::TaskDirectory& task, std::function<Answer()> work,
                                 std::function<Answer(const kernel::TaskDirectory&)> finish) {
  auto directory = task.duplicate();
  const auto limited = kernel::has_send_timeout(pending->socket.get());
  if (!directory || !limited) return Answer::error(EPERM);
  Job job{.work = std::move(work),
          .finish = std::move(finish),
          .interrupted = *limited ? Interrupted::ends : Interrupted::restarts};
  auto started =
      context_.jobs.start(pending->call, std::move(*directory), context_.listener, std::move(job));
  return started ? Answer::deferred() : Answer::error(started.error().code);
}

Answer UnixConnectHandler::connect(Connecting from) {
  const kernel::TaskDirectory& task = from.task;
  auto pending = std::make_shared<PendingConnect>(from, in_flight_);
  const auto memory = task.memory();
  if (!memory) return Answer::error(EPERM);
  const auto length = static_cast<std::uint32_t>(from.call.data.args[2]);
  if (length > kMaxAddressBytes) return Answer::error(EINVAL);
  auto address = memory->read(from.call.data.args[1], length);
  if (!from.waiting()) return Answer::caller_gone();  // what was just opened is the caller's
  if (!address) return Answer::error(EFAULT);
  pending->address = std::move(*address);
  if (!names_a_socket(pending->address)) {
    if (const int error = judge_own(*pending, task)) return Answer::error(error);
    const auto done = kernel::connect_socket(pending->socket.get(), pending->address);
    return done ? Answer::returns(0) : Answer::error(done.error().code);
  }
  auto nowhere = read_address(*pending, task);
  if (!from.waiting()) return Answer::caller_gone();
  if (nowhere) return *nowhere;
  if (in_flight_.use_count() > kMaxPendingConnects) return Answer::error(EAGAIN);
  if (const int error = judge_own(*pending, task)) return Answer::error(error);
  const auto find = [pending, helper = helper_]() -> Answer {
    auto found = pending->file ? helper->look(pending->file.get())
                               : helper->find(pending->path, pending->directory.get());
    if (!found && found.error().code == EINTR) return Answer::error(EINTR);
    pending->gone = !found;
    if (!found) return Answer::deferred();
    // A link of /proc that leads where no path does.
    if (found->error != 0 && found->error != ELOOP) return Answer::error(found->error);
    if (found->probe == ECONNREFUSED || found->probe == EACCES) return Answer::error(found->probe);
    if (found->file) pending->file = std::move(found->file);
    if (found->error == ELOOP) pending->file.reset();
    return Answer::deferred();
  };
  return start(pending, task, find, [this, pending](const kernel::TaskDirectory& caller) {
    return after_find(pending, caller);
  });
}

Answer UnixConnectHandler::after_find(const PendingConnectPtr& pending,
                                      const kernel::TaskDirectory& task) {
  if (!context_.listener.waiting(pending->call.id)) return Answer::caller_gone();
  if (pending->gone || closed_ || !pending->file) {
    if (pending->gone) warn_once(kGone);
    return refuse_unknown(*pending, task);
  }
  if (pending->by_peer) {
    Answer judged = judge_with_peer(*pending, task);
    if (judged.kind == Answer::Kind::error) return judged;
  }
  const auto connect = [pending, helper = helper_]() -> Answer {
    const auto error = helper->connect(pending->socket.get(), pending->file.get());
    pending->gone = !error && error.error().code != EINTR;
    pending->socket.reset();  // a socket that the caller closes next is to be closed then
    if (pending->gone) return Answer::deferred();
    const int code = error ? *error : EINTR;
    return code == 0 ? Answer::returns(0) : Answer::error(code);
  };
  return start(pending, task, connect, [this, pending](const kernel::TaskDirectory& caller) {
    return after_connect(*pending, caller);
  });
}

Answer UnixConnectHandler::after_connect(const PendingConnect& pending,
                                         const kernel::TaskDirectory& task) {
  if (!context_.listener.waiting(pending.call.id)) return Answer::caller_gone();
  warn_once(kGone);
  return refuse_unknown(pending, task);
}

// The label counts that each has now. Of another type nobody connects to: that is for the kernel to
// say.
Answer UnixConnectHandler::judge_with_peer(PendingConnect& pending,
                                           const kernel::TaskDirectory& task) {
  const auto own = context_.reader.read(pending.socket.get(), pending.cookie);
  const auto type = kernel::socket_type(pending.socket.get());
  const auto file = kernel::bound_file(context_.proc, pending.file.get(), task);
  if (!own || !type || !file) return refuse_unknown(pending, task);
  const auto peer = context_.peers.bound_to(*file);
  if (!peer) return refuse_unknown(pending, task);
  if (peer->type != *type) return Answer::continue_syscall();
  std::ranges::copy(*own, pending.request.own_labels);
  std::ranges::copy(peer->labels, pending.request.peer_labels);
  const int error = context_.judge(pending.call, task, pending.request, pending.cookie, 1);
  return error ? Answer::error(error) : Answer::continue_syscall();
}

}  // namespace holdfast::backend::connect_helper
