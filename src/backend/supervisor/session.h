// SPDX-License-Identifier: Apache-2.0
#ifndef HOLDFAST_BACKEND_SUPERVISOR_SESSION_H
#define HOLDFAST_BACKEND_SUPERVISOR_SESSION_H

#include <memory>
#include <optional>

#include "backend/backend.h"
#include "backend/calls/accepts.h"
#include "backend/calls/attributes.h"
#include "backend/calls/diag_peers.h"
#include "backend/calls/known_tasks.h"
#include "backend/calls/shared_tables.h"
#include "backend/connect_helper/handler.h"
#include "backend/supervisor/calls.h"
#include "backend/supervisor/cgroup_files.h"
#include "backend/supervisor/filter.h"
#include "backend/supervisor/level.h"
#include "backend/supervisor/nested_runs.h"
#include "backend/supervisor/process_tree.h"
#include "backend/supervisor/sandbox.h"
#include "backend/supervisor/sockets.h"
#include "kernel/proc/proc.h"
#include "kernel/process/seccomp.h"

namespace holdfast::backend::supervisor {

using namespace calls;

// One run under the supervisor. backend.h has the order of calls. One thread; jobs have their own
// (backend/calls/jobs.h). The handlers keep references to members of this object, which therefore
// never moves.
class SupervisorSession final : public Session {
 public:
  // What a session reads the world through. Tests give it a /proc and a listener of their own.
  struct Facilities {
    kernel::Proc proc;
    std::function<Result<std::unique_ptr<kernel::Listener>>(const Child&)> take_listener;
  };
  // Errors: of opening /proc; ENOTSUP or EBUSY as the error says, where cgroups cannot be protected.
  static Result<std::unique_ptr<SupervisorSession>> create(const SessionSpec& spec);
  static Result<std::unique_ptr<SupervisorSession>> create(const SessionSpec& spec,
                                                           Facilities facilities);

  Result<ChildPlan> before_fork() override;
  Result<void> adopt(const Child& child) override;
  [[nodiscard]] std::vector<int> poll_fds() const override;
  Result<void> dispatch() override;
  Result<void> dispatch_ready(const std::vector<int>& readable) override;
  [[nodiscard]] bool may_have_members() const override;
  Result<Totals> finish() override;

 private:
  SupervisorSession(const SessionSpec& spec, kernel::SeccompFilter filter, Facilities facilities,
                    Fd landlock, SocketAttributes attributes,
                    std::optional<kernel::CgroupMounts> cgroup_mounts,
                    std::shared_ptr<kernel::AnsweredFiles> answered_files);

  [[nodiscard]] const hf_profile& profile() const { return spec_.tables->profiles[spec_.profile]; }
  Result<void> handle_next();
  // Jobs, and labels of sockets that have gone.
  void look_at_others();
  Result<void> handle_attributes(const seccomp_notif& call,
                                 const Result<kernel::TaskDirectory>& task);
  AttributeAnswer decide_attributes(const seccomp_notif& call, const kernel::TaskDirectory& task,
                                    const AttributeMemory* memory);
  // Counts an EPERM that has no decision and so no event.
  void count_unreported(const Answer& given);
  std::optional<int> refuse_unreported(const seccomp_notif& call);
  // Sends the answer to the call at hand, and counts as count_unreported().
  Result<void> answer(std::uint64_t id, const Answer& given);
  [[nodiscard]] std::uint64_t refusals() const {
    return totals_.denied + totals_.audited + totals_.guarded;
  }
  Answer handle_limits(const seccomp_notif& call, const Result<kernel::TaskDirectory>& task);
  Result<void> open_handlers(const Child& child);
  void start_connect_helper(const Child& child, const JudgeSocket& judged);
  Result<void> handle_sockets(const seccomp_notif& call, const Result<kernel::TaskDirectory>& task);
  // Empty: the call is not about a cgroup file.
  std::optional<Answer> handle_cgroups(const seccomp_notif& call,
                                       const Result<kernel::TaskDirectory>& task);
  // Reads and writes of the files that cgroups_ gave out.
  void answer_cgroup_files();
  void answer_cgroup_file(const kernel::AnsweredFiles::Asked& asked);
  // Decides, counts and reports. Returns the errno of an enforced refusal, or 0.
  int judge(const seccomp_notif& call, const kernel::TaskDirectory& task, DecisionRecord asked,
            unsigned tokens);
  bool has_tokens(const hf_verdict& verdict, unsigned tokens);
  [[nodiscard]] bool in_own_user_namespace(const kernel::TaskDirectory& task) const;
  // Counts and reports a call that is refused under every policy. `what` is HF_GUARD_*; `detail` as
  // in hf_guard_event. Returns EPERM.
  int refuse_guarded(const seccomp_notif& call, const Result<kernel::TaskDirectory>& task,
                     std::uint32_t what, std::uint32_t detail);
  // Returns 0 if the kernel may perform the call, otherwise its errno. Empty: the caller has died.
  // `known` may be null. `levels` receives the levels that hold the caller, `namespaces` its namespaces
  // if one of them needs them.
  std::optional<int> decide_call(const seccomp_notif& call,
                                 const Result<kernel::TaskDirectory>& task, KnownTask* known,
                                 Result<kernel::TaskNamespaces>& namespaces,
                                 std::vector<Level*>& levels);
  void observe_creation(const kernel::TaskDirectory& task, const kernel::TaskNamespaces& before,
                        std::vector<Level*> levels);
  void report(const DecisionRecord& asked, const hf_verdict& verdict, const hf_task& actor);

  SessionSpec spec_;
  kernel::SeccompFilter filter_;
  std::function<Result<std::unique_ptr<kernel::Listener>>(const Child&)> take_listener_;
  kernel::Proc proc_;
  Fd landlock_;
  ProcessTree tree_;
  KnownTasks known_;
  SharedTables shared_tables_;
  SocketAttributes attributes_;
  std::optional<kernel::CgroupMounts> cgroup_mounts_;  // set if protects_cgroups()
  // Set where cgroup_mounts_ is and the kernel has it. Else short writes are notified.
  std::shared_ptr<kernel::AnsweredFiles> answered_files_;  // its jobs keep it
  std::optional<CgroupFileHandler> cgroups_;
  kernel::NamespaceInode own_user_namespace_ = kernel::kNoNamespace;
  std::optional<SocketLabels> labels_;
  Buckets buckets_;
  std::unique_ptr<kernel::Listener> listener_;
  std::optional<LabelReader> reader_;
  std::optional<PossibleLabels> possible_labels_;
  std::optional<DiagPeers> peers_;
  std::optional<connect_helper::UnixConnectHandler> connects_;
  std::optional<AcceptHandler> accepts_;
  // Readable: another descriptor than the listener is ready.
  Fd others_;
  std::optional<Jobs> jobs_;  // its jobs use the members above it, and end before those do
  std::optional<SocketCallHandler> sockets_;
  std::optional<Level> level_;  // of this run's own policy
  std::optional<NestedRuns> nested_;
  Totals totals_;
  std::uint64_t refusals_before_ = 0;  // before the call at hand
  std::uint64_t next_event_ = 1;
};

}  // namespace holdfast::backend::supervisor

#endif  // HOLDFAST_BACKEND_SUPERVISOR_SESSION_H
