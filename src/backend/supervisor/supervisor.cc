// SPDX-License-Identifier: Apache-2.0
//
// The supervisor backend. It controls the process tree of one run with seccomp user notification
// and Landlock, and needs no privileges.
#include <cerrno>

#include "backend/supervisor/session.h"
#include "kernel/process/landlock.h"
#include "kernel/process/process.h"
#include "kernel/process/seccomp.h"

namespace holdfast::backend {
namespace {

constexpr char kLsmOnly[] = "only the lsm backend can enforce it";
constexpr char kOwnMovesOnly[] =
    "weak: a task outside can move the command's tasks; refused: every mount() by the command";

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
         "the supervisor sees only tasks that the command started, and those are members"},
        {RuleKind::trace, Strength::best_effort,
         "weak: a locked task can write /proc/PID/mem of an unlocked task of the same run"},
        {RuleKind::socket, Strength::best_effort,
         "weak: a thread can put a socket in place of a file while another thread is in write() or "
         "a similar call; refused to a process with several threads: calls on netlink sockets, and "
         "bind() and sends on unix sockets; refused where a rule depends on the peer: datagrams, "
         "and connects to abstract names"},
        {RuleKind::label, Strength::enforced, {}},
    };
    if (!abi && kernel::has_sys_admin())
      for (Promise& promise : promises)
        if (promise.strength != Strength::none)
          promise = {promise.kind, Strength::best_effort,
                     "weak: without Landlock, root in the command can take over the supervisor"};
    for (const RuleKind kind :
         {RuleKind::cgroups_leave, RuleKind::cgroups_join, RuleKind::cgroups_inside})
      promises.push_back(abi ? Promise{kind, Strength::best_effort, kOwnMovesOnly}
                             : Promise{kind, Strength::none, "needs Landlock"});
    promises.push_back({RuleKind::mark, Strength::none, kLsmOnly});
    promises.push_back(
        {RuleKind::bpf_delegate, Strength::best_effort,
         "the kernel enforces what is delegated; weak: the command can attach a program outside of "
         "its own cgroup"});
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
