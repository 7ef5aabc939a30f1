// SPDX-License-Identifier: Apache-2.0
// A run inside a run: the outer run holds the tree by this run's policy too (nested_runs.h).
#ifndef HOLDFAST_BACKEND_SUPERVISOR_NESTED_SESSION_H
#define HOLDFAST_BACKEND_SUPERVISOR_NESTED_SESSION_H

#include <memory>
#include <optional>
#include <string>

#include "backend/backend.h"
#include "backend/supervisor/nested_runs.h"
#include "base/fd.h"

namespace holdfast::backend::supervisor {

// Is this process in a run of a holdfast that supervises it?
[[nodiscard]] bool in_a_run();

// One thread. If this process dies, the outer run goes on to hold the tree.
class NestedSession final : public Session {
 public:
  // Errors: ENOTSUP, the profile has rules that a nested run cannot have; ENOSPC, EUSERS, there are
  // too many nested runs; those of the outer run's answer and of Landlock.
  static Result<std::unique_ptr<NestedSession>> create(const SessionSpec& spec);

  Result<ChildPlan> before_fork() override;
  Result<void> adopt(const Child&) override { return {}; }  // the child joins by itself
  [[nodiscard]] std::vector<int> poll_fds() const override { return {channel_.get()}; }
  Result<void> dispatch() override;
  Result<Totals> finish() override;

 private:
  NestedSession(const SessionSpec& spec, Fd landlock, Fd channel, std::uint64_t key)
      : spec_(spec), landlock_(std::move(landlock)), channel_(std::move(channel)), key_(key) {}
  void take(const NestedRunPacket& packet);

  SessionSpec spec_;
  Fd landlock_;
  Fd channel_;
  std::uint64_t key_;
  std::optional<Totals> totals_;
};

}  // namespace holdfast::backend::supervisor

#endif  // HOLDFAST_BACKEND_SUPERVISOR_NESTED_SESSION_H
