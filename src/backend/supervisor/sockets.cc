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
//   - Otherwise another thread or process could replace the descriptor. The
//     supervisor performs the call on the duplicate that was judged.
//   - The latter is not possible where the kernel would record the supervisor's credentials. A
//     connect of a unix socket is then made by the connect helper (backend/connect_helper). All
//     other such calls are refused: netlink sockets, and bind and send of unix sockets.
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
namespace {}  // namespace

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

bool SocketCallHandler::rules_about(const seccomp_data& call) const {
  return (decode_socket_call(call).operations & operations_.ruled) != 0;
}

Answer SocketCallHandler::handle(const SocketCaller& caller, const JudgeRate& judge) {
  Call call(decode_socket_call(caller.call.data));
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
  const auto file = kernel::describe_file(call.duplicate.fd.get());
  if (!file) return cannot_tell();
  if (!file->socket && call.writes) return Answer::continue_syscall();
  if (file->path_only) return Answer::error(EBADF);
  if (!file->socket) return Answer::error(ENOTSOCK);
  const auto cookie = kernel::socket_cookie(call.duplicate.fd.get());
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
  if (!exact && !can_perform(caller.call.data, call.family)) request.flags |= HF_REQ_FACTS_MISSING;
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
  if (!can_perform(caller.call.data, call.family)) return Answer::error(EPERM);
  return perform(caller, call);
}

Answer SocketCallHandler::perform(const SocketCaller& caller, Call& call) {
  auto memory = caller.task.memory();
  const auto owner = caller.task.file_credentials();
  const auto status = caller.task.status();
  if (!memory || !owner || !status) return Answer::error(EPERM);
  auto thread = kernel::SignalledThread::open(status->process, status->thread);
  if (!caller.waiting()) return Answer::caller_gone();  // if it waits, all of this is the caller's
  if (!thread) return Answer::error(EPERM);
  Performance performance{caller.call.data,
                          std::make_shared<const kernel::SignalledThread>(std::move(*thread)),
                          std::make_shared<const Fd>(std::move(call.duplicate.fd)),
                          std::make_shared<const kernel::TaskMemory>(std::move(*memory))};
  auto directory = caller.task.duplicate();
  if (!directory) return Answer::error(EPERM);
  // Moved, so that no duplicate of the socket is left here when the job answers.
  Job job{
      .work = [performance = std::move(performance)] { return perform_socket_call(performance); },
      .capabilities = caller.in_own_user_namespace() ? owner->capabilities : 0};
  auto started = jobs_.start(caller.call, std::move(*directory), listener_, std::move(job));
  return started ? Answer::deferred() : Answer::error(started.error().code);
}  // NOLINT(clang-analyzer-cplusplus.NewDeleteLeaks): a shared_ptr that the job copies

}  // namespace holdfast::backend::supervisor
