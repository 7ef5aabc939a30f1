// SPDX-License-Identifier: Apache-2.0
#include "backend/calls/accepts.h"

#include <fcntl.h>
#include <sys/socket.h>
#include <sys/syscall.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <cstring>

#include "backend/calls/caller.h"
#include "core/socket_enums.h"
#include "kernel/sockets/socket_calls.h"
#include "kernel/sockets/sockets.h"

namespace holdfast::backend::calls {
namespace {

constexpr std::size_t kMaxGivenBack = 64;

}  // namespace

// One accept call, from its registers to the new socket. The job that waits shares it.
struct AcceptHandler::Attempt {
  explicit Attempt(const seccomp_notif& received) : call(received) {}

  seccomp_notif call;
  Duplicate listener = {Fd(), false};
  std::uint64_t cookie = 0;
  std::uint16_t family = 0;
  int flags = 0;  // SOCK_CLOEXEC, SOCK_NONBLOCK
  bool by_peer = false;
  // It gets a connection: from its job, or one that is given back because its caller died. Only the
  // thread that sets this uses `listener` from then on.
  std::atomic<bool> served = false;
  // The caller's.
  std::optional<kernel::TaskDirectory> task = {};
  std::optional<kernel::TaskMemory> memory = {};  // if it asks for an address
  kernel::FileCredentials owner = {};
  std::optional<kernel::Accepted> accepted = {};  // written by the job; read after it has ended

  [[nodiscard]] std::uint64_t address_at() const { return call.data.args[1]; }
  [[nodiscard]] std::uint64_t length_at() const { return call.data.args[2]; }
  [[nodiscard]] int write_address(std::string_view address) const;
};

// As move_addr_to_user() of the kernel: writes as much of the address as there is room for, and its
// full length. Returns 0 or an errno.
int AcceptHandler::Attempt::write_address(std::string_view address) const {
  if (address_at() == 0) return 0;
  int room = 0;
  const auto raw = memory->read(length_at(), sizeof(room));
  if (!raw) return EFAULT;
  std::memcpy(&room, raw->data(), sizeof(room));
  if (room < 0) return EINVAL;
  const int length = static_cast<int>(address.size());
  std::string length_bytes(sizeof(length), '\0');
  std::memcpy(length_bytes.data(), &length, sizeof(length));
  return memory->write(address_at(), address.substr(0, static_cast<std::size_t>(room))) &&
                 memory->write(length_at(), length_bytes)
             ? 0
             : EFAULT;
}

bool is_accept_call(int number) { return number == SYS_accept || number == SYS_accept4; }

bool makes_accepts(const hf_tables& tables, const hf_profile& profile) {
  return profile.label_inherit || (operations_by_peer(tables, profile) & HF_SOCK_ACCEPT);
}

AcceptHandler::AcceptHandler(AcceptContext context)
    : context_(std::move(context)),
      profile_(context_.tables.profiles[context_.profile]),
      by_peer_(operations_by_peer(context_.tables, profile_) & HF_SOCK_ACCEPT),
      reader_(context_.label_names, context_.labels) {
  for (std::uint32_t i = 0; i < profile_.socket_count; i++) {
    const hf_socket_rule& rule = context_.tables.socket_rules[profile_.socket_first + i];
    ruled_ |= rule.ops & HF_SOCK_ACCEPT;
    if (rule.verdict != HF_SOCK_ALLOW) refused_ |= rule.ops & HF_SOCK_ACCEPT;
  }
}

hf_request AcceptHandler::request_for(const Attempt& attempt) const {
  hf_request request = {};
  request.op = HF_OP_SOCKET;
  request.via = HF_VIA_ACCEPT;
  request.sock_op = HF_SOCK_ACCEPT;
  request.sock_family = attempt.family;
  const auto labels = attempt.listener.fd ? reader_.read(attempt.listener.fd.get(), attempt.cookie)
                                          : Result<LabelIds>(Error{EBADF, "read labels", {}, {}});
  if (labels)
    std::ranges::copy(*labels, request.own_labels);
  else
    request.flags |= HF_REQ_FACTS_MISSING;
  return request;
}

int AcceptHandler::judge(const Attempt& attempt, const kernel::TaskDirectory& task,
                         const hf_request& request) {
  if (!ruled_ && !(request.flags & HF_REQ_FACTS_MISSING)) return 0;
  return context_.judge(attempt.call, task, request, attempt.cookie, 1);
}

Answer AcceptHandler::handle(const seccomp_notif& call, const kernel::TaskDirectory& task) {
  auto attempt = std::make_shared<Attempt>(call);
  Duplicate& listener = attempt->listener;
  listener =
      duplicate_of_thread(call, task, context_.tables_shared, static_cast<int>(call.data.args[0]));
  if (!context_.listener.waiting(call.id)) return Answer::caller_gone();
  const auto cannot_tell = [&] {
    const int error = judge(*attempt, task, request_for(*attempt));
    return Answer::error(error ? error : EPERM);
  };
  if (!listener.fd) return listener.none ? Answer::error(EBADF) : cannot_tell();
  const auto file = kernel::describe_file(listener.fd.get());
  if (!file || file->path_only) return Answer::error(EBADF);
  if (call.data.nr == SYS_accept4) attempt->flags = static_cast<int>(call.data.args[3]);
  if (attempt->flags & ~(SOCK_CLOEXEC | SOCK_NONBLOCK)) return Answer::error(EINVAL);
  if (!file->socket) return Answer::error(ENOTSOCK);
  const auto cookie = kernel::socket_cookie(listener.fd.get());
  const auto family = kernel::socket_family(listener.fd.get());
  if (!cookie || !family) return Answer::error(EPERM);
  if (*cookie == context_.exempt_cookie) return Answer::continue_syscall();
  attempt->cookie = *cookie;
  attempt->family = hf_family_of(static_cast<__u16>(*family));

  const bool of_unix = attempt->family == HF_FAMILY_UNIX;
  const bool needed = profile_.label_inherit || (of_unix && by_peer_);
  const hf_request request = request_for(*attempt);
  attempt->by_peer = of_unix && depends_on_peer(context_.tables, profile_, request);
  if (!attempt->by_peer)
    if (const int error = judge(*attempt, task, request)) return Answer::error(error);
  // The kernel has to use the same listener that the rules judged. If no rule refuses, it may use
  // any.
  const bool exact = listener.stable || profile_.mode != HF_MODE_ENFORCE || !refused_;
  if (!needed && exact) return Answer::continue_syscall();
  return make(std::move(attempt), task);
}

Answer AcceptHandler::make(std::shared_ptr<Attempt> attempt, const kernel::TaskDirectory& task) {
  if (attempt->address_at() != 0) {
    auto memory = task.memory();
    if (!memory) return Answer::error(EPERM);
    attempt->memory.emplace(std::move(*memory));
  }
  auto receiver = task.receiver(static_cast<pid_t>(attempt->call.pid));
  auto own = task.duplicate();
  auto directory = task.duplicate();
  if (!receiver || !own || !directory) return Answer::error(EPERM);
  // If the call still waits, the files opened above belong to the caller.
  if (!context_.listener.waiting(attempt->call.id)) return Answer::caller_gone();
  attempt->owner = std::move(receiver->credentials);
  attempt->task.emplace(std::move(*own));

  // Like the kernel, check for a free descriptor number first. Without one, take no connection.
  if (!receiver->has_room) return Answer::error(EMFILE);

  const auto given_back = std::ranges::find(given_back_, attempt->cookie, &GivenBack::listener);
  if (given_back != given_back_.end()) {
    kernel::Accepted connection = std::move(given_back->connection);
    given_back_.erase(given_back);
    return hand_over(attempt, std::move(connection));
  }

  const auto limited = kernel::has_receive_timeout(attempt->listener.fd.get());
  if (!limited) return Answer::error(EPERM);
  const bool complete = !attempt->by_peer;
  Job job{.work =
              [this, attempt, complete] {
                auto accepted = kernel::accept_socket(attempt->listener.fd.get(),
                                                      attempt->flags & SOCK_NONBLOCK);
                if (!accepted) return Answer::error(accepted.error().code);
                attempt->accepted.emplace(std::move(*accepted));
                return complete ? complete_in_job(attempt) : Answer::deferred();
              },
          .finish = [this, attempt](const kernel::TaskDirectory&) { return finish(attempt); },
          .interrupted = *limited ? Interrupted::ends : Interrupted::restarts,
          .finish_undelivered = true};
  std::erase_if(waiting_, [](const std::weak_ptr<Attempt>& one) { return one.expired(); });
  waiting_.emplace_back(attempt);
  const seccomp_notif call = attempt->call;
  // From here on only the job has the duplicate of the listener, and drops it before it answers.
  attempt.reset();
  auto started =
      context_.jobs.start(call, std::move(*directory), context_.listener, std::move(job));
  return started ? Answer::deferred() : Answer::error(started.error().code);
}

Answer AcceptHandler::finish(const std::shared_ptr<Attempt>& attempt) {
  kernel::Accepted connection = std::move(*attempt->accepted);
  if (!attempt->served.exchange(true) && context_.listener.waiting(attempt->call.id))
    return hand_over(attempt, std::move(connection));
  give_back(*attempt, std::move(connection));
  return Answer::caller_gone();
}

// Labels the connection and answers with it, in the job's thread, where nothing is left to decide.
// Deferred: the caller has died, or got another connection, and this one has to be given back.
Answer AcceptHandler::complete_in_job(const std::shared_ptr<Attempt>& attempt) const {
  if (attempt->served.exchange(true) || !context_.listener.waiting(attempt->call.id))
    return Answer::deferred();
  const Fd& accepted = attempt->accepted->fd;
  if (const int error = own_and_label(*attempt, accepted.get())) return Answer::error(error);
  if (const int error = attempt->write_address(attempt->accepted->address))
    return Answer::error(error);
  attempt->listener.fd = ForeignFd();  // closed before the caller can close its own
  return {Answer::Kind::descriptor, attempt->flags & SOCK_CLOEXEC ? O_CLOEXEC : 0,
          std::shared_ptr<const Fd>(attempt, &accepted)};
}

// A socket that should inherit labels is never handed over without them. Returns an errno, or 0.
int AcceptHandler::own_and_label(const Attempt& attempt, int accepted_fd) const {
  (void)kernel::chown_socket(accepted_fd, attempt.owner.uid, attempt.owner.gid);
  if (!profile_.label_inherit) return 0;
  const auto cookie = kernel::socket_cookie(accepted_fd);
  if (!cookie) return EPERM;
  const auto copied =
      context_.labels.copy(attempt.listener.fd.get(), attempt.cookie, accepted_fd, *cookie);
  return copied ? 0 : copied.error().code;
}

// The caller was killed while its job accepted a connection. In the kernel that connection would
// still be queued. So it goes to another call that waits on the same listener, or to the next one.
void AcceptHandler::give_back(const Attempt& from, kernel::Accepted connection) {
  for (const std::weak_ptr<Attempt>& one : waiting_) {
    const auto other = one.lock();
    if (!other || other.get() == &from || other->cookie != from.cookie) continue;
    if (!context_.listener.waiting(other->call.id) || other->served.exchange(true)) continue;
    context_.jobs.answered_elsewhere(other->call.id);
    (void)give(context_.listener, other->call.id, hand_over(other, std::move(connection)));
    return;
  }
  if (given_back_.size() >= kMaxGivenBack) given_back_.pop_front();
  given_back_.push_back({from.cookie, std::move(connection)});
}

// Judges and labels the connection, and answers the call with it. An error closes the connection.
Answer AcceptHandler::hand_over(const std::shared_ptr<Attempt>& attempt,
                                kernel::Accepted connection) {
  if (!context_.listener.waiting(attempt->call.id)) return Answer::caller_gone();
  const int accepted_fd = connection.fd.get();
  if (attempt->by_peer)
    if (const int error = judge_with_peer(*attempt, accepted_fd)) return Answer::error(error);
  if (const int error = own_and_label(*attempt, accepted_fd)) return Answer::error(error);
  const int flags = attempt->flags & SOCK_CLOEXEC ? O_CLOEXEC : 0;
  if (attempt->address_at() == 0) return Answer::descriptor(std::move(connection.fd), flags);
  // In a job: a process that serves the memory may never answer.
  auto directory = attempt->task->duplicate();
  if (!directory) return Answer::error(EPERM);
  auto given = std::make_shared<kernel::Accepted>(std::move(connection));
  Job job{.work = [attempt, given, flags]() -> Answer {
    if (const int error = attempt->write_address(given->address)) return Answer::error(error);
    return Answer::descriptor(std::move(given->fd), flags);
  }};
  auto started =
      context_.jobs.start(attempt->call, std::move(*directory), context_.listener, std::move(job));
  return started ? Answer::deferred() : Answer::error(started.error().code);
}

// Reads the listener's labels again, since the call may have waited long. The labels of a peer that
// has closed its socket cannot be read. Such a request is judged as one with missing facts, so a
// peer cannot evade a rule by closing early.
int AcceptHandler::judge_with_peer(const Attempt& attempt, int accepted_fd) {
  hf_request request = request_for(attempt);
  const auto peer = context_.peers.of(accepted_fd);
  if (peer && peer->state == Peer::State::known)
    std::ranges::copy(peer->labels, request.peer_labels);
  else
    request.flags |= HF_REQ_FACTS_MISSING;
  return judge(attempt, *attempt.task, request);
}

}  // namespace holdfast::backend::calls
