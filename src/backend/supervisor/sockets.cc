// SPDX-License-Identifier: Apache-2.0
//
// A rule judges a socket, but a call names a descriptor number. So the kernel has to use the socket
// that was judged:
//
//   - In a process with one thread that shares its descriptor table with no other process, the
//     number cannot change while that thread is blocked. The kernel performs the call.
//   - If no rule can refuse the operation, whichever socket of the run it is about, the kernel
//     performs the call too. The supervisor keeps the labels of the run where the kernel keeps none,
//     so it knows which values were ever set. A value that is set for the first time after this
//     decision, and before the kernel finds the socket, is not taken into account.
//   - Otherwise another thread or process could replace the descriptor. So the call is made on the
//     duplicate that was judged. The supervisor makes it for internet sockets. Other sockets record
//     who binds, listens or sends, and check that process's rights. For these the connect helper
//     makes it (backend/connect_helper): it has the caller's credentials.
//   - A caller with other credentials than the command's has no such helper. It is refused.
//
// The connect helper also makes the connects whose rule depends on the peer.
//
// None of this is needed for an operation that no rule refuses or limits. The kernel performs it.
#include "backend/supervisor/sockets.h"

#include <sys/socket.h>
#include <sys/syscall.h>

#include <algorithm>
#include <cerrno>

#include "backend/calls/socket_call.h"
#include "core/socket_enums.h"
#include "kernel/process/process.h"
#include "kernel/sockets/sockets.h"

namespace holdfast::backend::supervisor {
namespace {

// May the call pass descriptors?
bool sends_message(int number) { return number == SYS_sendmsg || number == SYS_sendmmsg; }

}  // namespace

SocketOperations socket_operations(const hf_tables& tables, std::uint16_t profile_number) {
  const hf_profile& profile = tables.profiles[profile_number];
  SocketOperations operations;
  for (std::uint32_t i = 0; i < profile.socket_count; i++) {
    const hf_socket_rule& rule = tables.socket_rules[profile.socket_first + i];
    operations.ruled |= rule.ops;
    if (rule.verdict != HF_SOCK_ALLOW) operations.refused |= rule.ops;
  }
  operations.by_peer = operations_by_peer(tables, profile);
  return operations;
}

bool is_socket_call(int number) {
  switch (number) {
    case SYS_bind:
    case SYS_connect:
    case SYS_listen:
    case SYS_sendto:
    case SYS_sendmsg:
    case SYS_sendmmsg:
    case SYS_write:
    case SYS_writev:
    case SYS_pwritev2:
    case SYS_sendfile:
    case SYS_splice:
      return true;
    default:
      return false;
  }
}

bool Buckets::take(const hf_socket_rule& rule, unsigned tokens) {
  const std::uint64_t now_ns = kernel::boottime_ns();
  hf_bucket& bucket = buckets_[rule.rule];
  const hf_bucket before = bucket;
  for (unsigned taken = 0; taken < tokens; taken++) {
    if (hf_bucket_take(&bucket, now_ns, &rule)) continue;
    if (taken > 0) bucket = before;
    return false;
  }
  return true;
}

struct SocketCallHandler::Call : SocketCall {
  explicit Call(const SocketCall& decoded) : SocketCall(decoded) {}
  Duplicate duplicate = {Fd(), false};
  std::uint64_t cookie = 0;
  std::uint16_t family = 0;
};

SocketCallHandler::SocketCallHandler(const hf_tables& tables, std::uint16_t profile,
                                     const LabelReader& reader, const PossibleLabels& possible,
                                     Peers& peers, Jobs& jobs, kernel::Listener& listener,
                                     std::uint64_t exempt_cookie)
    : tables_(tables),
      profile_(tables.profiles[profile]),
      operations_(socket_operations(tables, profile)),
      reader_(reader),
      possible_(possible),
      peers_(peers),
      jobs_(jobs),
      listener_(listener),
      exempt_cookie_(exempt_cookie) {}

bool SocketCallHandler::indifferent_to(const seccomp_data& call) const {
  const SocketCall decoded = decode_socket_call(call);
  return profile_.log != HF_LOG_ALL &&
         !may_be_refused(tables_, profile_, decoded.operations, possible_);
}

// A profile that inherits labels needs each accepted socket. A rule by the peer is decided when there is
// a peer, which may have got its label while the call waited.
bool SocketCallHandler::indifferent_to_accepts() const {
  return profile_.log != HF_LOG_ALL && !profile_.label_inherit &&
         !(operations_.by_peer & HF_SOCK_ACCEPT) &&
         !may_be_refused(tables_, profile_, HF_SOCK_ACCEPT, possible_);
}

bool SocketCallHandler::rules_about(const seccomp_data& call) const {
  return (decode_socket_call(call).operations & operations_.ruled) != 0;
}

// What the number names, if that is not a socket or cannot be told. Empty: it may be one.
std::optional<Answer> SocketCallHandler::not_a_socket(const SocketCaller& caller,
                                                      const Call& call) {
  using Kind = kernel::TaskDirectory::DescriptorKind;
  const Kind kind = caller.task.descriptor_kind(call.fd);
  if (kind != Kind::none && kind != Kind::other) return std::nullopt;
  const bool usable =
      kind == Kind::other && (call.writes || !caller.task.descriptor_is_path_only(call.fd));
  if (!caller.waiting()) return Answer::caller_gone();
  if (kind == Kind::other && call.writes) return Answer::continue_syscall();
  return Answer::error(usable ? ENOTSOCK : EBADF);
}

Answer SocketCallHandler::handle(const SocketCaller& caller, const JudgeRate& judge) {
  Call call(decode_socket_call(caller.call.data));
  // A duplicate of another file would have to be closed.
  if (auto answer = not_a_socket(caller, call)) return *std::move(answer);
  call.duplicate = duplicate_of_thread(caller.call, caller.task, caller.tables, call.fd);
  if (!caller.waiting()) return Answer::caller_gone();
  hf_request unknown = caller.common;
  unknown.op = HF_OP_SOCKET;
  unknown.via = hf_via_of(call.operations & -call.operations);
  unknown.flags = HF_REQ_FACTS_MISSING;
  const auto cannot_tell = [&] {
    const int error = judge(unknown, 0, 1);
    return Answer::error(error ? error : EPERM);
  };
  if (!call.duplicate.fd) {
    if (call.duplicate.none) return Answer::error(EBADF);
    // An undumpable process of the same user, for example. It may go on if no rule could refuse it.
    return any_socket_may(call) ? Answer::continue_syscall() : cannot_tell();
  }
  const auto cookie = kernel::socket_cookie(call.duplicate.fd.get());
  // Not a socket, or opened with O_PATH.
  if (!cookie && (cookie.error().code == ENOTSOCK || cookie.error().code == EBADF))
    return call.writes && cookie.error().code == ENOTSOCK ? Answer::continue_syscall()
                                                          : Answer::error(cookie.error().code);
  const auto family = kernel::socket_family(call.duplicate.fd.get());
  if (!cookie || !family) return cannot_tell();
  if (*cookie == exempt_cookie_) return Answer::continue_syscall();
  call.cookie = *cookie;
  call.family = hf_family_of(static_cast<__u16>(*family));
  return decide(caller, call, judge);
}

// Is the operation allowed to every socket of the run?
bool SocketCallHandler::any_socket_may(const Call& call) const {
  return !may_be_refused(tables_, profile_, call.operations, possible_);
}

// The peer of a stream socket is the same until one end is closed. The peer of a datagram socket is
// not: another process that has the socket may connect it again. Before a connect there is no peer.
int SocketCallHandler::read_peer(const Call& call, hf_request& request) {
  const auto type = kernel::socket_type(call.duplicate.fd.get());
  request.flags |= HF_REQ_FACTS_MISSING;
  if (!type || *type == SOCK_DGRAM || request.sock_op != HF_SOCK_SEND) return 0;
  const auto peer = peers_.of(call.duplicate.fd.get());
  if (!peer) return 0;
  // Do not let the kernel check: another thread may have connected it by then.
  if (peer->state == Peer::State::none) return ENOTCONN;
  request.flags &= ~static_cast<std::uint32_t>(HF_REQ_FACTS_MISSING);
  std::ranges::copy(peer->labels, request.peer_labels);
  return 0;
}

Answer SocketCallHandler::decide(const SocketCaller& caller, Call& call, const JudgeRate& judge) {
  hf_request request = caller.common;
  request.op = HF_OP_SOCKET;
  request.sock_family = call.family;
  if (const auto labels = reader_.read(call.duplicate.fd.get(), call.cookie))
    std::ranges::copy(*labels, request.own_labels);
  else
    request.flags |= HF_REQ_FACTS_MISSING;
  const bool enforces = profile_.mode == HF_MODE_ENFORCE;
  const bool free = enforces && any_socket_may(call);
  const bool exact =
      call.duplicate.stable || !enforces || free || !(call.operations & operations_.refused);
  if (connects_ && !free && caller.call.data.nr == SYS_connect && call.family == HF_FAMILY_UNIX &&
      !(request.flags & HF_REQ_FACTS_MISSING)) {
    request.sock_op = HF_SOCK_CONNECT;
    request.via = hf_via_of(HF_SOCK_CONNECT);
    const bool by_peer =
        (operations_.by_peer & HF_SOCK_CONNECT) && depends_on_peer(tables_, profile_, request);
    if (by_peer || !exact)
      return connects_->connect({caller.call, caller.task, caller.waiting,
                                 std::move(call.duplicate.fd), call.cookie, request, by_peer});
  }
  std::shared_ptr<const SocketMaker> maker;
  if (!exact && can_perform(call.family)) maker = own_maker();
  if (!exact && !maker && connects_)
    maker = connects_->maker(caller.task, caller.call.data.nr == SYS_bind);
  if (!exact && !caller.waiting()) return Answer::caller_gone();
  if (!exact && !maker) request.flags |= HF_REQ_FACTS_MISSING;
  for (std::uint32_t operation = 1; operation <= HF_SOCK_SEND; operation <<= 1) {
    if (!(call.operations & operations_.ruled & operation)) continue;
    request.sock_op = static_cast<std::uint16_t>(operation);
    request.via = hf_via_of(operation);
    if (!free && call.family == HF_FAMILY_UNIX && (operation & operations_.by_peer) &&
        depends_on_peer(tables_, profile_, request))
      if (const int error = read_peer(call, request)) return Answer::error(error);
    const int error = judge(request, call.cookie, operation == HF_SOCK_SEND ? call.messages : 1);
    if (error) return Answer::error(error);
  }
  if (exact) return Answer::continue_syscall();
  if (!maker) return Answer::error(EPERM);
  return perform(caller, call, std::move(maker), request);
}

Answer SocketCallHandler::perform(const SocketCaller& caller, Call& call,
                                  std::shared_ptr<const SocketMaker> maker,
                                  const hf_request& request) {
  auto memory = caller.task.memory();
  const auto owner = caller.task.file_credentials();
  const auto status = caller.task.status();
  if (!memory || !owner || !status) return Answer::error(EPERM);
  auto thread = kernel::SignalledThread::open(status->process, status->thread);
  const auto limited = kernel::has_send_timeout(call.duplicate.fd.get());
  std::shared_ptr<const Fd> table;
  if (call.family == HF_FAMILY_UNIX && sends_message(caller.call.data.nr)) {
    auto opened = open_descriptor_table(caller.call, *status);
    if (!opened) return Answer::error(EPERM);
    table = std::make_shared<const Fd>(std::move(*opened));
  }
  std::shared_ptr<const Fd> from;
  if (call.from >= 0) {
    auto source = duplicate_of_thread(caller.call, caller.task, caller.tables, call.from);
    if (source.fd) from = std::make_shared<const ForeignFd>(std::move(source.fd));
  }
  if (!caller.waiting()) return Answer::caller_gone();  // if it waits, all of this is the caller's
  if (!thread || !limited) return Answer::error(EPERM);
  Performance performance{caller.call.data,
                          maker,
                          std::make_shared<const kernel::SignalledThread>(std::move(*thread)),
                          std::make_shared<const Fd>(std::move(call.duplicate.fd)),
                          std::make_shared<const kernel::TaskMemory>(std::move(*memory)),
                          std::move(table),
                          std::move(from)};
  auto directory = caller.task.duplicate();
  if (!directory) return Answer::error(EPERM);
  // Moved, so that no duplicate of the socket is left here when the job answers.
  Job job{.work = [maker, refused = performance.refused,
                   performance = std::move(performance)]() -> Answer {
            Answer answer = perform_socket_call(performance);
            const bool failed = answer.kind == Answer::Kind::error;
            return failed && (maker->gone() || *refused) ? Answer::deferred() : answer;
          },
          .finish = [this, maker, request, cookie = call.cookie,
                     received = caller.call](const kernel::TaskDirectory& task) -> Answer {
            return connects_ ? connects_->refuse_made(received, task, request, cookie, *maker)
                             : Answer::error(EPERM);
          },
          .capabilities = caller.in_own_user_namespace() ? owner->capabilities : 0,
          .interrupted = *limited ? Interrupted::ends : Interrupted::restarts};
  auto started = jobs_.start(caller.call, std::move(*directory), listener_, std::move(job));
  return started ? Answer::deferred() : Answer::error(started.error().code);
}  // NOLINT(clang-analyzer-cplusplus.NewDeleteLeaks): a shared_ptr that the job copies

}  // namespace holdfast::backend::supervisor
