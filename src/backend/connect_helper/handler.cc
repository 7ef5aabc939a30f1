// SPDX-License-Identifier: Apache-2.0
//
// Problem. The supervisor judges a connect(2) before it happens. If it then lets the kernel
// continue the call, the kernel reads the descriptor and the path again. Between the two, another
// thread can put a different socket under the same descriptor number, or rename another socket to
// the path.
//
// Example. A rule says that a socket labelled user.varlink=client may connect only to a peer that
// is labelled user.varlink=server. Thread A calls connect(5, "/run/app/socket"). The supervisor
// finds the right label on both ends and continues the call. Before the kernel looks up the path,
// thread B calls rename("/run/app/other", "/run/app/socket"). The client is connected to the wrong
// peer.
//
// The supervisor cannot simply connect its own duplicate of the socket. The kernel would check the
// supervisor's permissions on the path, and SO_PEERCRED at the server would name the supervisor.
//
// Idea. The connect helper (client.h) is a process with the caller's credentials, namespaces and
// root directory. It makes the connect in two steps:
//
//   1. find: the helper opens the file that the path names, with the caller's permissions, and
//      sends back an O_PATH descriptor. bind(2) always makes a new file, so a socket file belongs
//      to one socket for its whole life. Thus the file determines the peer, and the rules can judge
//      it.
//   2. connect: the helper connects the duplicate of the caller's socket to that file, by way of
//      /proc/self/fd. Renames have no effect any more.
//
// The address in the caller's memory is read once, before step 1.
//
// Cost. The helper is one more process for each run whose rules need it. Each connect takes two
// round trips and two job threads. The peer sees the helper's pid in SO_PEERCRED. When the helper
// dies or is stopped, connects that need it are refused. Two kinds of addresses are always refused:
// a path if the caller has another identity than the helper, and an abstract name. An abstract name
// can belong to another socket between step 1 and step 2. Moreover the tree's Landlock domain keeps
// it from abstract sockets outside, and the helper is not in that domain.
//
// Alternatives. Continuing the call is enough if no thread can interfere: a caller with one thread
// and no rule about the peer does not come here. Stopping the other threads would need ptrace, and
// tasks in other processes could still rename files. The lsm backend checks inside the kernel, at
// the hook that knows both sockets, and needs no helper; but it needs privileges.
#include "backend/connect_helper/handler.h"

#include <sys/socket.h>
#include <sys/un.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <cstddef>
#include <cstring>
#include <tuple>

#include "backend/calls/descriptor_path.h"
#include "kernel/memory.h"
#include "kernel/sockets/socket_calls.h"
#include "kernel/sockets/sockets.h"

namespace holdfast::backend::connect_helper {
namespace {

constexpr std::size_t kMaxAddressBytes = sizeof(sockaddr_storage);
// Less than the limit of all jobs (backend/calls/jobs.cc), so that connects cannot use up all jobs.
constexpr long kMaxPendingConnects = 256;
constexpr std::string_view kGone =
    "the process that connects unix sockets for the command is gone or stopped: connects that need "
    "it are refused";

// Can this address reach a peer? The kernel refuses addresses of other families, and AF_UNSPEC
// disconnects a datagram socket.
bool names_a_socket(const std::string& address) {
  sa_family_t family = AF_UNSPEC;
  if (address.size() <= offsetof(sockaddr_un, sun_path) || address.size() > sizeof(sockaddr_un))
    return false;
  std::memcpy(&family, address.data(), sizeof(family));
  return family == AF_UNIX;
}

// Makes calls in the connect helper.
class HelperMaker final : public SocketMaker {
 public:
  HelperMaker(std::shared_ptr<const ConnectHelper> helper, Fd directory,
              const kernel::TaskStatus& status, bool confined)
      : helper_(std::move(helper)),
        directory_(std::move(directory)),
        umask_(status.umask),
        pid_(status.innermost_process),
        confined_(confined) {}

  Result<void> bind(int socket_fd, std::string_view address) const override {
    return with_address(Kind::bind, socket_fd, address);
  }
  Result<void> connect(int socket_fd, std::string_view address) const override {
    return with_address(Kind::connect_address, socket_fd, address);
  }
  Result<void> listen(int socket_fd, int backlog) const override {
    HelperRequest request = common(Kind::listen);
    request.argument = backlog;
    HF_TRY_ASSIGN(std::ignore, ask(request, {socket_fd}));
    return {};
  }
  Result<std::int64_t> send(int socket_fd, const kernel::Message& message,
                            const std::vector<int>& passed) const override {
    HelperRequest request = common(Kind::send);
    request.argument = message.flags;
    request.address_bytes = static_cast<std::uint32_t>(message.address.size());
    request.control_bytes = static_cast<std::uint32_t>(message.control.size());
    request.data_bytes = static_cast<std::uint32_t>(message.data.size());
    HF_TRY_ASSIGN(const auto body,
                  kernel::make_memory_file(message.address + message.control + message.data));
    std::vector<int> descriptors = {socket_fd, body.get(), directory_.get()};
    descriptors.insert(descriptors.end(), passed.begin(), passed.end());
    HF_TRY_ASSIGN(const auto reply, ask(request, descriptors));
    return reply.sent;
  }
  Result<std::int64_t> copy(int socket_fd, int from_fd, kernel::FileCopy& copy) const override {
    HelperRequest request = common(Kind::copy);
    request.copy = copy;
    HF_TRY_ASSIGN(const auto reply, ask(request, {socket_fd, from_fd}));
    copy.offset = reply.offset;
    return reply.sent;
  }

  // Landlock decides about addresses of unix sockets by the domain of who acts, and the helper is in
  // none: so not the name of an abstract socket, which may be outside, and no path once a task has
  // confined itself. /proc/self and its like would be the helper's.
  [[nodiscard]] bool takes(std::string_view address) const override {
    sa_family_t family = AF_UNSPEC;
    constexpr std::size_t kPath = offsetof(sockaddr_un, sun_path);
    if (address.size() < sizeof(family)) return true;
    std::memcpy(&family, address.data(), sizeof(family));
    if (family != AF_UNIX || address.size() <= kPath) return true;
    if (address[kPath] == '\0') return binds_;
    const std::string_view path = address.substr(kPath);
    return !confined_ && !path.starts_with("/proc/") && !path.starts_with("/dev/fd/");
  }
  [[nodiscard]] bool gone() const override { return gone_; }
  // The call is a bind(2), whose abstract name is new.
  void binds() { binds_ = true; }

 private:
  using Kind = HelperRequest::Kind;

  [[nodiscard]] HelperRequest common(Kind kind) const {
    HelperRequest request;
    request.kind = kind;
    request.umask = umask_;
    request.caller_pid = pid_;
    return request;
  }
  Result<HelperReply> ask(const HelperRequest& request, const std::vector<int>& descriptors) const {
    auto reply = helper_->call(request, descriptors);
    gone_ = !reply && reply.error().code == ECONNABORTED;
    if (reply && reply->error) return Error{reply->error, "make a call", {}, {}};
    return reply;
  }
  Result<void> with_address(Kind kind, int socket_fd, std::string_view address) const {
    HelperRequest request = common(kind);
    request.address_bytes = static_cast<std::uint32_t>(address.size());
    HF_TRY_ASSIGN(const auto body, kernel::make_memory_file(address));
    HF_TRY_ASSIGN(std::ignore, ask(request, {socket_fd, body.get(), directory_.get()}));
    return {};
  }

  std::shared_ptr<const ConnectHelper> helper_;
  Fd directory_;
  unsigned umask_;
  pid_t pid_;
  bool confined_;
  bool binds_ = false;
  mutable std::atomic<bool> gone_ = false;
};

}  // namespace

bool needs_connect_helper(const hf_tables& tables, const hf_profile& profile) {
  for (std::uint32_t i = 0; i < profile.socket_count; i++) {
    const hf_socket_rule& rule = tables.socket_rules[profile.socket_first + i];
    const bool connects = (rule.ops & HF_SOCK_CONNECT) && (rule.families & HF_FAMILY_UNIX);
    if (connects && (rule.peer_count > 0 || rule.verdict != HF_SOCK_ALLOW)) return true;
    // A program with threads could put a socket that is refused in the place of one that is not, so
    // its calls are made for it, whatever the family.
    const std::uint32_t made = rule.ops & ~static_cast<std::uint32_t>(HF_SOCK_ACCEPT);
    if (made && rule.verdict != HF_SOCK_ALLOW && profile.mode == HF_MODE_ENFORCE) return true;
  }
  return false;
}

std::shared_ptr<const SocketMaker> UnixConnectHandler::maker(const kernel::TaskDirectory& task,
                                                             bool binds) const {
  const auto status = task.status();
  auto directory = task.working_directory();
  if (!status || !directory || !helper_->same_identity_as(task)) return nullptr;
  auto maker =
      std::make_shared<HelperMaker>(helper_, std::move(*directory), *status, closed_ || confined_);
  if (binds) maker->binds();
  return maker;
}

Answer UnixConnectHandler::refuse_made(const seccomp_notif& call, const kernel::TaskDirectory& task,
                                       hf_request request, std::uint64_t cookie,
                                       const SocketMaker& maker) {
  if (!context_.listener.waiting(call.id)) return Answer::caller_gone();
  if (maker.gone()) warn_once(kGone);
  request.flags |= HF_REQ_FACTS_MISSING;
  const int error = context_.judge(call, task, request, cookie, 1);
  return Answer::error(error ? error : EPERM);
}

// One connect from its call to its answer. The jobs share it; only one thread uses it at a time.
struct UnixConnectHandler::PendingConnect {
  explicit PendingConnect(Connecting& from)
      : call(from.call),
        socket(std::move(from.socket)),
        cookie(from.cookie),
        request(from.request),
        by_peer(from.by_peer) {}

  seccomp_notif call;
  Fd socket;
  std::uint64_t cookie;
  hf_request request;
  bool by_peer;
  std::shared_ptr<int> slot = {};  // a reference to in_flight_, while the helper works for it
  std::string address = {};        // as read from the caller's memory
  std::string path = {};           // empty: the address names a descriptor, see `file`
  Fd directory = {};               // where a relative path starts
  Fd file = {};                    // the socket file to connect to, once it is known
  bool gone = false;               // the helper does not answer
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

// Fills in path, directory or file. Returns an answer if the helper cannot make the connect.
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
  auto pending = std::make_shared<PendingConnect>(from);
  auto opened = task.memory();
  if (!from.waiting()) return Answer::caller_gone();  // if it waits, the memory is the caller's
  if (!opened) return Answer::error(EPERM);
  const auto length = static_cast<std::uint32_t>(from.call.data.args[2]);
  if (length > kMaxAddressBytes) return Answer::error(EINVAL);
  // In a job: a process that serves the memory may never answer.
  const auto read = [pending, length,
                     memory =
                         std::make_shared<kernel::TaskMemory>(std::move(*opened))]() -> Answer {
    auto address = memory->read(pending->call.data.args[1], length);
    if (!address) return Answer::error(EFAULT);
    pending->address = std::move(*address);
    return Answer::deferred();
  };
  return start(pending, task, read, [this, pending](const kernel::TaskDirectory& caller) {
    return after_read(pending, caller);
  });
}

Answer UnixConnectHandler::after_read(const PendingConnectPtr& pending,
                                      const kernel::TaskDirectory& task) {
  const auto waiting = [&] { return context_.listener.waiting(pending->call.id); };
  if (!waiting()) return Answer::caller_gone();
  if (!names_a_socket(pending->address)) {
    if (const int error = judge_own(*pending, task)) return Answer::error(error);
    const auto done = kernel::connect_socket(pending->socket.get(), pending->address);
    return done ? Answer::returns(0) : Answer::error(done.error().code);
  }
  auto refused = read_address(*pending, task);
  if (!waiting()) return Answer::caller_gone();
  if (refused) return *refused;
  if (in_flight_.use_count() > kMaxPendingConnects) return Answer::error(EAGAIN);
  pending->slot = in_flight_;
  if (const int error = judge_own(*pending, task)) return Answer::error(error);
  const auto find = [pending, helper = helper_]() -> Answer {
    auto found = pending->file ? helper->look(pending->file.get())
                               : helper->find(pending->path, pending->directory.get());
    if (!found && found.error().code == EINTR) return Answer::error(EINTR);
    pending->gone = !found;
    if (!found) return Answer::deferred();
    // ELOOP: the path crosses a magic link of /proc. after_find() refuses it, without a file.
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
    pending->socket.reset();  // so that the socket is closed when the caller closes it
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

// Reads both labels now, since they may have changed. If the types of the sockets differ,
// connect(2) fails in any case, so the kernel reports the error.
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
