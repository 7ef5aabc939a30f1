// SPDX-License-Identifier: Apache-2.0
// Handles connects of unix sockets that the caller must not make itself. Either a rule depends on
// the labels of the peer, or the caller has several threads. The connect helper makes them, and the
// other calls of such a caller on sockets that record who uses them.
#ifndef HOLDFAST_BACKEND_CONNECT_HELPER_HANDLER_H
#define HOLDFAST_BACKEND_CONNECT_HELPER_HANDLER_H

#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "backend/backend.h"
#include "backend/calls/caller.h"
#include "backend/calls/diag_peers.h"
#include "backend/calls/jobs.h"
#include "backend/calls/socket_call.h"
#include "backend/calls/socket_facts.h"
#include "backend/connect_helper/client.h"

namespace holdfast::backend::connect_helper {

using namespace calls;

// Does the profile need a connect helper? It does if a rule about connects of unix sockets depends
// on the peer, or if it enforces a rule that refuses or limits an operation of some socket.
[[nodiscard]] bool needs_connect_helper(const hf_tables& tables, const hf_profile& profile);

// References are borrowed and outlive the handler.
struct UnixConnectContext {
  const LabelReader& reader;
  DiagPeers& peers;
  Jobs& jobs;
  kernel::Listener& listener;
  const kernel::Proc& proc;
  JudgeSocket judge;
  std::function<void(std::string_view)> notice;  // receives messages for the user; may be empty
};

// A connect(2) call and the facts about it. References are borrowed for
// UnixConnectHandler::connect.
struct Connecting {
  const seccomp_notif& call;
  const kernel::TaskDirectory& task;
  const std::function<bool()>& waiting;
  Fd socket;             // a duplicate of the caller's socket
  std::uint64_t cookie;  // of that socket
  hf_request request;    // with the labels of that socket
  bool by_peer;          // the rules depend on the peer's labels
};

// Used on the session's thread only. The requests to the connect helper run in jobs.
class UnixConnectHandler {
 public:
  UnixConnectHandler(UnixConnectContext context, ConnectHelper helper)
      : context_(std::move(context)),
        helper_(std::make_shared<const ConnectHelper>(std::move(helper))) {}

  // Decides, counts and reports the connect, and lets the helper make it. Usually the answer is
  // deferred to a job. EAGAIN: 256 connects are in progress already.
  Answer connect(Connecting connecting);

  // A process for calls on sockets of another family than internet, with the caller's credentials.
  // Null: there is none. The result counts only if the call still waits afterwards.
  // `binds`: the call is a bind(2).
  [[nodiscard]] std::shared_ptr<const SocketMaker> maker(const kernel::TaskDirectory& task,
                                                         bool binds) const;
  // Refuses a call that the maker could not make, since facts are missing. Reports it.
  Answer refuse_made(const seccomp_notif& call, const kernel::TaskDirectory& task,
                     hf_request request, std::uint64_t cookie, const SocketMaker& maker);

  // From now on refuses every connect and bind that needs the helper. Sends `why` as a notice, once.
  void close(std::string_view why);
  // A task of the run has confined itself with Landlock, in a domain that the helper is not in. From
  // now on it makes no call with a path for the other callers either.
  void tree_confined() { confined_ = true; }

 private:
  struct PendingConnect;
  using PendingConnectPtr = std::shared_ptr<PendingConnect>;
  Answer refuse_unknown(const PendingConnect& pending, const kernel::TaskDirectory& task);
  int judge_own(const PendingConnect& pending, const kernel::TaskDirectory& task);
  std::optional<Answer> read_address(PendingConnect& pending, const kernel::TaskDirectory& task);
  Answer start(const PendingConnectPtr& pending, const kernel::TaskDirectory& task,
               std::function<Answer()> work,
               std::function<Answer(const kernel::TaskDirectory&)> finish);
  Answer after_read(const PendingConnectPtr& pending, const kernel::TaskDirectory& task);
  Answer after_find(const PendingConnectPtr& pending, const kernel::TaskDirectory& task);
  Answer after_connect(const PendingConnect& pending, const kernel::TaskDirectory& task);
  Answer judge_with_peer(PendingConnect& pending, const kernel::TaskDirectory& task);
  void warn_once(std::string_view what);

  UnixConnectContext context_;
  std::shared_ptr<const ConnectHelper> helper_;  // shared with the jobs
  bool closed_ = false;
  bool confined_ = false;
  bool warned_ = false;
  std::shared_ptr<int> in_flight_ = std::make_shared<int>();  // a reference for each PendingConnect
};

}  // namespace holdfast::backend::connect_helper

#endif  // HOLDFAST_BACKEND_CONNECT_HELPER_HANDLER_H
