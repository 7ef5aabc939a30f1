// SPDX-License-Identifier: Apache-2.0
// One `holdfast run` under the lsm backend. See backend.h for the order of calls.
#ifndef HOLDFAST_BACKEND_LSM_RUN_SESSION_H
#define HOLDFAST_BACKEND_LSM_RUN_SESSION_H

#include <array>
#include <memory>
#include <optional>

#include "backend/backend.h"
#include "backend/lsm/run/guardian.h"
#include "backend/lsm/run/label_mirror.h"
#include "backend/lsm/run/programs.h"
#include "backend/lsm/run/syscall_emulator.h"
#include "base/fd.h"

namespace holdfast::backend::lsm {

class LsmSession : public Session {
 public:
  // Loads, attaches, proves, posts the guardian. Errors: of each; then nothing is attached.
  static Result<std::unique_ptr<Session>> open(const SessionSpec& spec);
  // Members that are left are killed. One that does not die yet keeps the guardian and the
  // programs.
  ~LsmSession() override;

  Result<ChildPlan> before_fork() override;
  Result<void> adopt(const Child& child) override;
  [[nodiscard]] std::vector<int> poll_fds() const override;
  // Errors: EOWNERDEAD when the guardian was killed and no other could be posted.
  Result<void> dispatch() override;
  Result<Totals> finish() override;

 private:
  explicit LsmSession(const SessionSpec& spec) : spec_(spec) {}
  Result<void> track(const Child& child);
  Result<void> know_labels();

  SessionSpec spec_;
  std::unique_ptr<Programs> programs_;
  std::unique_ptr<kernel::BpfRing> ring_;
  std::optional<InodeLabels> mirror_;
  std::unique_ptr<SyscallEmulator> calls_;  // null: nothing is answered here
  std::optional<Guardian> guardian_;
  std::array<Fd, HF_NS_COUNT> namespaces_;  // held so that no number of the set is reused
};

}  // namespace holdfast::backend::lsm

#endif  // HOLDFAST_BACKEND_LSM_RUN_SESSION_H
