// SPDX-License-Identifier: Apache-2.0
// Starts the workload in two steps: forked and confined but blocked, then released.
#ifndef HOLDFAST_RUN_SPAWN_H
#define HOLDFAST_RUN_SPAWN_H

#include <signal.h>

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "backend/backend.h"
#include "base/fd.h"
#include "base/result.h"
#include "kernel/process/process.h"

namespace holdfast::run {

struct SpawnSpec {
  std::vector<std::string> command;  // not empty
  std::uint32_t unshare_types = 0;   // HF_NS_*
  backend::ChildPlan plan;
  sigset_t signal_mask;  // of the command
};

// A child that waits to become the command. Destroying it before release() makes the child exit.
// One thread. In a new pid namespace the child is its init and the command will be the init's
// child.
class Spawned {
 public:
  // Forks. On return the child is in its namespaces and has restricted itself as the plan says.
  // Errors: of clone3(2), or what the child could not do. Nothing is left behind then.
  static Result<Spawned> start(const SpawnSpec& spec);

  [[nodiscard]] backend::Child child() const;
  [[nodiscard]] pid_t pid() const { return forked_.pid; }
  [[nodiscard]] int pidfd() const { return forked_.pidfd.get(); }
  // Waits until the child has seen its own self-test call refused. Only with a plan that has a filter,
  // and after Session::adopt(), which answers that call.
  Result<void> wait_for_self_test();
  Result<void> release();
  // Readable when the command could not be executed, hung up once it runs. See read_exec_error().
  [[nodiscard]] int channel_fd() const { return channel_.get(); }
  // Why the command could not be executed; nothing when it runs.
  std::optional<Error> read_exec_error();

 private:
  Spawned() = default;
  Result<void> open_namespaces();
  Result<void> wait_until_ready();
  Result<void> take_listener(int number);

  kernel::ForkedChild forked_;
  Fd channel_;
  Fd listener_;
  std::uint64_t channel_cookie_ = 0;
  std::array<Fd, HF_NS_COUNT> namespaces_;
  std::uint32_t unshare_types_ = 0;
  std::string command_name_;
};

}  // namespace holdfast::run

#endif  // HOLDFAST_RUN_SPAWN_H
