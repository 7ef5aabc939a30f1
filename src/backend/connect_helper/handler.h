// SPDX-License-Identifier: Apache-2.0
// Connects of unix sockets that the kernel cannot be left to make: decided by the labels of who
// would be found, or made in a process with several threads. The door makes them.
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
#include "backend/calls/socket_facts.h"
#include "backend/connect_helper/client.h"

namespace holdfast::backend::connect_helper {

using namespace calls;

// Has the profile rules for which a door is needed? Those that ask for the peer of a connect, and
// those that refuse or limit one.
[[nodiscard]] bool needs_connect_helper(const hf_tables& tables, const hf_profile& profile);

// All borrowed, but for `judge` and `notice`.
struct UnixConnectContext {
  const LabelReader& reader;
  DiagPeers& peers;
  Jobs& jobs;
  kernel::Listener& listener;
  const kernel::Proc& proc;
  JudgeSocket judge;
  std::function<void(std::string_view)> notice;  // what who runs holdfast should know; may be empty
};

// What somebody connects, and what is known of it.
struct Connecting {
  const seccomp_notif& call;
  const kernel::TaskDirectory& task;
  const std::function<bool()>& waiting;
  Fd socket;  // a duplicate
  std::uint64_t cookie;
  hf_request request;  // with its own labels
  bool by_peer;        // its rules ask for the peer's labels
};

// One thread.
class UnixConnectHandler {
 public:
  UnixConnectHandler(UnixConnectContext context, ConnectHelper helper)
      : context_(std::move(context)),
        helper_(std::make_shared<const ConnectHelper>(std::move(helper))) {}

  // connect(2) of a unix socket: decides, counts, reports, and has it made.
  Answer connect(Connecting connecting);

  // From here on nobody is served.
  void close(std::string_view why);

 private:
  struct PendingConnect;
  using PendingConnectPtr = std::shared_ptr<PendingConnect>;
  Answer refuse_unknown(const PendingConnect& pending, const kernel::TaskDirectory& task);
  int judge_own(const PendingConnect& pending, const kernel::TaskDirectory& task);
  std::optional<Answer> read_address(PendingConnect& pending, const kernel::TaskDirectory& task);
  Answer start(const PendingConnectPtr& pending, const kernel::TaskDirectory& task,
               std::function<Answer()> work,
               std::function<Answer(const kernel::TaskDirectory&)> finish);
  Answer after_find(const PendingConnectPtr& pending, const kernel::TaskDirectory& task);
  Answer after_connect(const PendingConnect& pending, const kernel::TaskDirectory& task);
  Answer judge_with_peer(PendingConnect& pending, const kernel::TaskDirectory& task);
  void warn_once(std::string_view what);

  UnixConnectContext context_;
  std::shared_ptr<const ConnectHelper> helper_;  // with the jobs
  bool closed_ = false;
  bool warned_ = false;
  std::shared_ptr<int> in_flight_ = std::make_shared<int>();  // held by each that is at the door
};

}  // namespace holdfast::backend::connect_helper

#endif  // HOLDFAST_BACKEND_CONNECT_HELPER_HANDLER_H
