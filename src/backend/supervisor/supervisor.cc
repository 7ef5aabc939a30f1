// SPDX-License-Identifier: Apache-2.0
//
// The supervisor backend. It controls the process tree of one run with seccomp user notification
// and Landlock, and needs no privileges.
#include <cerrno>

#include "backend/supervisor/nested_session.h"
#include "backend/supervisor/session.h"
#include "kernel/process/landlock.h"
#include "kernel/process/process.h"
#include "kernel/process/seccomp.h"

namespace holdfast::backend {
namespace {

class SupervisorBackend final : public Backend {
 public:
  [[nodiscard]] Enforcer enforcer() const override { return Enforcer::supervisor; }

  [[nodiscard]] Result<void> available() const override {
    if (supervisor::in_a_run()) return {};
    auto listener = kernel::probe_seccomp_listener();
    if (!listener)
      return Error{listener.error().code,
                   "seccomp user notification",
                   {},
                   listener.error().code == EBUSY ? "a supervisor holds this process already"
                                                  : "needs Linux 5.19"};
    return {};
  }

  [[nodiscard]] Conditions conditions() const override {
    if (kernel::landlock_abi()) return {};
    Conditions holding = {Condition::no_landlock};
    if (kernel::has_sys_admin()) holding.add(Condition::root_without_landlock);
    return holding;
  }
};

}  // namespace

std::unique_ptr<Backend> make_supervisor_backend() { return std::make_unique<SupervisorBackend>(); }

Result<std::unique_ptr<Session>> open_supervised(const SessionSpec& spec) {
  if (supervisor::in_a_run()) {
    HF_TRY_ASSIGN(auto nested, supervisor::NestedSession::create(spec));
    return std::unique_ptr<Session>(std::move(nested));
  }
  HF_TRY_ASSIGN(auto session, supervisor::SupervisorSession::create(spec));
  return std::unique_ptr<Session>(std::move(session));
}

}  // namespace holdfast::backend
