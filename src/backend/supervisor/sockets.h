// SPDX-License-Identifier: Apache-2.0
// Socket rules about bind, connect, listen and send. They depend on the labels of the socket, and
// for unix sockets also on those of the peer. Accepts are in backend/calls/accepts.h.
#ifndef HOLDFAST_BACKEND_SUPERVISOR_SOCKETS_H
#define HOLDFAST_BACKEND_SUPERVISOR_SOCKETS_H

#include <linux/seccomp.h>

#include <unordered_map>

#include "backend/backend.h"
#include "backend/calls/attributes.h"
#include "backend/calls/jobs.h"
#include "backend/calls/shared_tables.h"
#include "backend/calls/socket_facts.h"
#include "backend/connect_helper/handler.h"
#include "backend/supervisor/calls.h"
#include "core/bucket.h"

namespace holdfast::backend::supervisor {

using namespace calls;

// Masks of HF_SOCK_*: the operations that a profile's rules are about.
struct SocketOperations {
  std::uint32_t ruled = 0;  // with some rule
  // With a rule that refuses or limits. The kernel then has to use the socket that was judged.
  std::uint32_t refused = 0;
  std::uint32_t by_peer = 0;  // with a rule that depends on the labels of a unix socket's peer
};
[[nodiscard]] SocketOperations socket_operations(const hf_tables& tables, std::uint16_t profile);

[[nodiscard]] bool is_socket_call(int number);

// The call and its caller. Borrowed for one SocketCallHandler::handle().
struct SocketCaller {
  const seccomp_notif& call;
  const kernel::TaskDirectory& task;
  const SharedTables& tables;
  // Is the caller in the supervisor's user namespace? Only there do its capabilities count.
  const std::function<bool()>& in_own_user_namespace;
  // Does the call still wait?
  const std::function<bool()>& waiting;
  const hf_request& common;  // the start of every request of this call
};

// The rate limits of a run: one token bucket for each rule, which all tasks of the run share. A
// task that makes a cgroup would get a full bucket if each cgroup had one. One thread.
class Buckets {
 public:
  // Takes `tokens` tokens, or none. Returns true if there were enough.
  bool take(const hf_socket_rule& rule, unsigned tokens);

 private:
  std::unordered_map<std::uint32_t, hf_bucket> buckets_;  // by the number of the rule
};

// Decides, counts and reports a request. A rate limit takes `tokens` tokens. Returns the errno of
// an enforced refusal, or 0.
using JudgeRate = std::function<int(hf_request request, std::uint64_t cookie, unsigned tokens)>;

// Answers the calls about sockets of one run. Used on the session's thread only.
class SocketCallHandler {
 public:
  // References are borrowed and outlive the handler. Rules do not apply to the socket with the
  // cookie `exempt_cookie`.
  SocketCallHandler(const hf_tables& tables, std::uint16_t profile, const LabelReader& reader,
                    const PossibleLabels& possible, Peers& peers, Jobs& jobs,
                    kernel::Listener& listener, std::uint64_t exempt_cookie);
  // Sets the handler of unix connects that the caller must not make itself. Without one they are
  // refused. Borrowed.
  void use(connect_helper::UnixConnectHandler& handler) { connects_ = &handler; }

  // Can no rule refuse or limit this call, whichever socket of the run it is about? Then nothing is
  // looked at, counted or reported.
  [[nodiscard]] bool indifferent_to(const seccomp_data& call) const;
  // The same for an accept.
  [[nodiscard]] bool indifferent_to_accepts() const;
  // Is some rule about this call?
  [[nodiscard]] bool rules_about(const seccomp_data& call) const;
  Answer handle(const SocketCaller& caller, const JudgeRate& judge);

 private:
  struct Call;
  [[nodiscard]] static std::optional<Answer> not_a_socket(const SocketCaller& caller,
                                                          const Call& call);
  [[nodiscard]] bool any_socket_may(const Call& call) const;
  // Reads the peer's labels into the request, or sets HF_REQ_FACTS_MISSING, and returns 0. Or
  // returns the errno that the kernel would return.
  int read_peer(const Call& call, hf_request& request);
  Answer decide(const SocketCaller& caller, Call& call, const JudgeRate& judge);
  Answer perform(const SocketCaller& caller, Call& call, std::shared_ptr<const SocketMaker> maker,
                 const hf_request& request);

  const hf_tables& tables_;
  const hf_profile& profile_;
  SocketOperations operations_;
  const LabelReader& reader_;
  const PossibleLabels& possible_;
  Peers& peers_;
  Jobs& jobs_;
  connect_helper::UnixConnectHandler* connects_ = nullptr;
  kernel::Listener& listener_;
  // The child's channel to run/. It closes on exec, so CMD never has it.
  std::uint64_t exempt_cookie_;
};

}  // namespace holdfast::backend::supervisor

#endif  // HOLDFAST_BACKEND_SUPERVISOR_SOCKETS_H
