// SPDX-License-Identifier: Apache-2.0
//
// The supervisor backend: seccomp user notification and Landlock for the tree of one run, without
// privilege.
#include <cerrno>

#include "backend/supervisor/session.h"
#include "kernel/process/landlock.h"
#include "kernel/process/process.h"
#include "kernel/process/seccomp.h"

namespace holdfast::backend {
namespace {

constexpr char kNotSeen[] = "only the lsm backend sees it";
constexpr char kOwnMovesOnly[] =
    "moves by the command's own tasks are held, and mount() is refused to them; a task outside can "
    "still move them";

class SupervisorBackend final : public Backend {
 public:
  [[nodiscard]] std::string_view name() const override { return "supervisor"; }

  [[nodiscard]] Result<void> available() const override {
    auto listener = kernel::probe_seccomp_listener();
    if (!listener)
      return Error{listener.error().code,
                   "seccomp user notification",
                   {},
                   listener.error().code == EBUSY ? "a supervisor holds this process already"
                                                  : "needs Linux 5.19"};
    return {};
  }

  [[nodiscard]] std::vector<Promise> promises() const override {
    const auto abi = kernel::landlock_abi();
    std::vector<Promise> promises = {
        {RuleKind::namespaces_create, Strength::enforced, {}},
        {RuleKind::namespaces_enter, Strength::enforced, {}},
        {RuleKind::namespaces_visitors, Strength::none,
         "only what the command starts is seen, and that is a member, not a visitor"},
        {RuleKind::trace, Strength::best_effort,
         "among tasks of the tree, /proc/PID/mem of one that is not locked stays open"},
        {RuleKind::socket, Strength::best_effort,
         "a process with several threads can send by write() and its like on a socket that it "
         "swaps "
         "in; its netlink sockets, a bind of its unix sockets, and a datagram, or a connect by an "
         "abstract name, that depends on a peer's label, are refused"},
        {RuleKind::label, Strength::enforced, {}},
    };
    if (!abi && kernel::has_sys_admin())
      for (Promise& promise : promises)
        if (promise.strength != Strength::none)
          promise = {promise.kind, Strength::best_effort,
                     "without Landlock, root in the tree can take over the supervisor"};
    for (const RuleKind kind :
         {RuleKind::cgroups_leave, RuleKind::cgroups_join, RuleKind::cgroups_inside})
      promises.push_back(abi ? Promise{kind, Strength::best_effort, kOwnMovesOnly}
                             : Promise{kind, Strength::none, "needs Landlock"});
    promises.push_back({RuleKind::mark, Strength::none, kNotSeen});
    promises.push_back(
        {RuleKind::bpf_delegate, Strength::best_effort,
         "the kernel holds the command to what is delegated, but not to its own cgroup: where a "
         "program is attached is not confined"});
    return promises;
  }

  Result<std::unique_ptr<Session>> open(const SessionSpec& spec) override {
    HF_TRY_ASSIGN(auto session, supervisor::SupervisorSession::create(spec));
    return std::unique_ptr<Session>(std::move(session));
  }
};

}  // namespace

std::unique_ptr<Backend> make_supervisor_backend() { return std::make_unique<SupervisorBackend>(); }

}  // namespace holdfast::backend
