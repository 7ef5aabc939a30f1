// SPDX-License-Identifier: Apache-2.0
// Handles accept(2) and accept4(2) of the process tree.
//
// The peer is unknown until the connection exists, and a socket that inherits labels has to have
// them before the caller can use it. So where a rule reads the peer's labels, or the profile
// inherits labels, holdfast accepts on a duplicate of the caller's listener. It labels the new
// socket, decides, and then installs the socket in the caller. It closes a refused connection.
#ifndef HOLDFAST_BACKEND_CALLS_ACCEPTS_H
#define HOLDFAST_BACKEND_CALLS_ACCEPTS_H

#include <linux/seccomp.h>

#include <deque>
#include <memory>
#include <vector>

#include "backend/backend.h"
#include "backend/calls/answer.h"
#include "backend/calls/jobs.h"
#include "backend/calls/shared_tables.h"
#include "backend/calls/socket_facts.h"
#include "kernel/sockets/socket_calls.h"

namespace holdfast::backend::calls {

// References are borrowed and outlive the handler.
struct AcceptContext {
  const hf_tables& tables;
  std::uint16_t profile;
  const LabelNames& label_names;
  SocketLabels& labels;
  Peers& peers;
  Jobs& jobs;
  kernel::Listener& listener;
  JudgeSocket judge;
  const SharedTables& tables_shared;
  // The cookie of the child's channel to run/. The channel closes on exec, so CMD never has it.
  std::uint64_t exempt_cookie;
};

[[nodiscard]] bool is_accept_call(int number);

// Does the profile need accepts that holdfast performs?
[[nodiscard]] bool makes_accepts(const hf_tables& tables, const hf_profile& profile);

// Used on the session's thread only. The blocking accept runs in a job (backend/calls/jobs.h).
class AcceptHandler {
 public:
  explicit AcceptHandler(AcceptContext context);

  // `call` is an accept that waits on the listener; `task` was opened for its thread.
  Answer handle(const seccomp_notif& call, const kernel::TaskDirectory& task);

 private:
  struct Attempt;
  [[nodiscard]] hf_request request_for(const Attempt& attempt) const;
  int judge(const Attempt& attempt, const kernel::TaskDirectory& task, const hf_request& request);
  Answer make(std::shared_ptr<Attempt> attempt, const kernel::TaskDirectory& task);
  [[nodiscard]] Answer complete_in_job(const std::shared_ptr<Attempt>& attempt) const;
  [[nodiscard]] int own_and_label(const Attempt& attempt, int accepted_fd) const;
  Answer finish(const std::shared_ptr<Attempt>& attempt);
  void give_back(const Attempt& from, kernel::Accepted connection);
  Answer hand_over(const std::shared_ptr<Attempt>& attempt, kernel::Accepted connection);
  int judge_with_peer(const Attempt& attempt, int accepted_fd);

  AcceptContext context_;
  const hf_profile& profile_;
  std::uint32_t ruled_ = 0;    // HF_SOCK_ACCEPT, if some rule is about accepts
  std::uint32_t refused_ = 0;  // HF_SOCK_ACCEPT, if some rule refuses or limits accepts
  bool by_peer_ = false;
  LabelReader reader_;
  std::vector<std::weak_ptr<Attempt>> waiting_;  // owned by their jobs
  struct GivenBack {
    std::uint64_t listener;  // the cookie of the listening socket
    kernel::Accepted connection;
  };
  std::deque<GivenBack> given_back_;  // oldest first
};

}  // namespace holdfast::backend::calls

#endif  // HOLDFAST_BACKEND_CALLS_ACCEPTS_H
