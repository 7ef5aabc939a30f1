// SPDX-License-Identifier: Apache-2.0
// Starts the command in two steps. The first forks a child, which confines itself and blocks. The
// second releases the child, which then executes the command.
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
  sigset_t signal_mask;              // the signals that are blocked when the command starts
  bool ignore_child_signal = false;  // SIGCHLD is ignored when the command starts
  // A new pid namespace ends with its last task. False: it ends with the command.
  bool wait_tree = false;
};

// A child that waits to execute the command. Destroying the object before release() makes the child
// exit. In a new pid namespace the child is the init, and the command will be a child of the init.
// One thread.
class Spawned {
 public:
  // Forks. On return the child is in its namespaces and has confined itself as the plan says.
  // Errors: those of clone3(2), and of the child's own steps. After an error there is no child.
  static Result<Spawned> start(const SpawnSpec& spec);

  [[nodiscard]] backend::Child child() const;
  [[nodiscard]] pid_t pid() const { return forked_.pid; }
  [[nodiscard]] int pidfd() const { return forked_.pidfd.get(); }
  // Waits until the child reports that its self-test call was refused. Only for a plan with a
  // filter, and after Session::adopt(), which answers that call. Errors: the call was not refused,
  // or the child died.
  Result<void> wait_for_self_test();
  // Lets the child execute the command.
  Result<void> release();
  // Readable when read_message() has something. Hangs up when nothing more can come.
  [[nodiscard]] int channel_fd() const { return channel_.get(); }
  struct Message {
    std::optional<Error> exec_error;  // why the command could not be executed
    bool command_ended = false;       // in a pid namespace with `wait_tree`
  };
  // What the released child says next. Empty: nothing more will come. Blocks until that is known.
  std::optional<Message> read_message();

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
