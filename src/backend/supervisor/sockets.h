// SPDX-License-Identifier: Apache-2.0
// Socket rules: bind, connect, listen and send, decided by the labels of the socket; of a connected
// unix socket by its peer's too. accept: backend/calls/accepts.h.
#ifndef HOLDFAST_BACKEND_SUPERVISOR_SOCKETS_H
#define HOLDFAST_BACKEND_SUPERVISOR_SOCKETS_H

#include <linux/seccomp.h>

#include <string>
#include <unordered_map>

#include "backend/backend.h"
#include "backend/calls/attributes.h"
#include "backend/calls/jobs.h"
#include "backend/calls/socket_facts.h"
#include "backend/connect_helper/handler.h"
#include "backend/supervisor/calls.h"
#include "core/bucket.h"

namespace holdfast::backend::supervisor {

using namespace calls;

// Operations that a profile's rules are about.
struct SocketOperations {
  std::uint32_t ruled = 0;  // HF_SOCK_*: some rule is about it
  std::uint32_t refused =
      0;  // some rule refuses it, or limits it: what is decided has to be what is done
  std::uint32_t by_peer = 0;  // some rule looks at the label of a unix socket's peer
};
[[nodiscard]] SocketOperations socket_operations(const hf_tables& tables, std::uint16_t profile);

[[nodiscard]] bool is_socket_call(int number);

// Who makes the call. Borrowed.
struct SocketCaller {
  const seccomp_notif& call;
  const kernel::TaskDirectory& task;
  const std::function<bool()>&
      in_own_user_namespace;  // in the supervisor's: its capabilities count
  const std::function<bool()>& waiting;
  const hf_request& common;  // subject filled in
};

// The rates of a run: a bucket for each rule and cgroup. One thread.
class Buckets {
 public:
  // Takes so many tokens at once, or none: is that how many there were?
  bool take(const hf_socket_rule& rule, const std::string& cgroup, unsigned tokens);

 private:
  std::unordered_map<std::string, hf_bucket> buckets_;
};

// Decides a request and reports it; a limit takes tokens. The errno of an enforced refusal, or 0.
using JudgeRate = std::function<int(hf_request request, std::uint64_t cookie, unsigned tokens)>;

// Answers the calls about sockets of one run. One thread.
class SocketCallHandler {
 public:
  // All borrowed.
  SocketCallHandler(const hf_tables& tables, std::uint16_t profile, const LabelReader& reader,
                    Peers& peers, Jobs& jobs, kernel::Listener& listener,
                    std::uint64_t exempt_cookie);
  // Makes the connects of unix sockets that have to be made here; without it they are refused.
  // Borrowed.
  void use(connect_helper::UnixConnectHandler& handler) { connects_ = &handler; }

  // Does some rule have to see this call?
  [[nodiscard]] bool rules_about(const seccomp_data& call) const;
  Answer handle(const SocketCaller& caller, const JudgeRate& judge);

 private:
  struct Call;
  // An errno that the kernel would answer; 0: the request knows, or says that it does not.
  int read_peer(const Call& call, hf_request& request);
  Answer decide(const SocketCaller& caller, Call& call, const JudgeRate& judge);
  Answer perform(const SocketCaller& caller, Call& call);

  const hf_tables& tables_;
  const hf_profile& profile_;
  SocketOperations operations_;
  const LabelReader& reader_;
  Peers& peers_;
  Jobs& jobs_;
  connect_helper::UnixConnectHandler* connects_ = nullptr;
  kernel::Listener& listener_;
  // The child's channel to run/. It closes on exec, so nothing that is ruled about ever has it.
  std::uint64_t exempt_cookie_;
};

}  // namespace holdfast::backend::supervisor

#endif  // HOLDFAST_BACKEND_SUPERVISOR_SOCKETS_H
