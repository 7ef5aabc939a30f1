// SPDX-License-Identifier: Apache-2.0
// accept(2) and accept4(2) of the tree.
//
// Who connected is known when the connection is there, and not before; and a socket that inherits
// labels has to have them before anybody can use it. So where a rule asks for the peer's labels, or
// accepted sockets inherit, holdfast accepts on a duplicate of the caller's listener, and hands the
// new socket over when it is labelled and the decision has been made. One that is refused is
// closed.
#ifndef HOLDFAST_BACKEND_CALLS_ACCEPTS_H
#define HOLDFAST_BACKEND_CALLS_ACCEPTS_H

#include <linux/seccomp.h>

#include <deque>
#include <memory>
#include <vector>

#include "backend/backend.h"
#include "backend/calls/answer.h"
#include "backend/calls/jobs.h"
#include "backend/calls/socket_facts.h"
#include "kernel/sockets/socket_calls.h"

namespace holdfast::backend::calls {

// What still checks an accept that is continued, so that the kernel makes it.
enum class FallbackEnforcer { none, bpf };

// All borrowed, but for `judge`.
struct AcceptContext {
  const hf_tables& tables;
  std::uint16_t profile;
  const LabelNames& label_names;
  SocketLabels& labels;
  Peers& peers;
  Jobs& jobs;
  kernel::Listener& listener;
  JudgeSocket judge;
  FallbackEnforcer fallback;
  // The child's channel to run/: it closes on exec, so nothing that is ruled about ever has it.
  std::uint64_t exempt_cookie;
};

[[nodiscard]] bool is_accept_call(int number);

// Does the profile need accepts to be made here?
[[nodiscard]] bool makes_accepts(const hf_tables& tables, const hf_profile& profile);

// One thread.
class AcceptHandler {
 public:
  explicit AcceptHandler(AcceptContext context);

  Answer handle(const seccomp_notif& call, const kernel::TaskDirectory& task);

 private:
  struct Attempt;
  [[nodiscard]] hf_request request_for(const Attempt& attempt) const;
  int judge(const Attempt& attempt, const kernel::TaskDirectory& task, const hf_request& request);
  Answer make(const std::shared_ptr<Attempt>& attempt, const kernel::TaskDirectory& task);
  Answer finish(Attempt& attempt);
  void give_back(const Attempt& from, kernel::Accepted connection);
  Answer hand_over(const Attempt& attempt, kernel::Accepted connection);
  int judge_with_peer(const Attempt& attempt, int accepted_fd);

  AcceptContext context_;
  const hf_profile& profile_;
  std::uint32_t ruled_ = 0;    // HF_SOCK_ACCEPT: some rule is about it
  std::uint32_t refused_ = 0;  // the same: some rule refuses or limits it
  bool by_peer_ = false;
  LabelReader reader_;
  std::vector<std::weak_ptr<Attempt>> waiting_;  // in jobs
  struct GivenBack {
    std::uint64_t listener;  // its cookie
    kernel::Accepted connection;
  };
  std::deque<GivenBack> given_back_;  // the oldest first
};

}  // namespace holdfast::backend::calls

#endif  // HOLDFAST_BACKEND_CALLS_ACCEPTS_H
