// SPDX-License-Identifier: Apache-2.0
// Runs one command: forks a child, puts it under the session, releases it, and serves the session
// until the command has ended.
#ifndef HOLDFAST_RUN_SUPERVISE_H
#define HOLDFAST_RUN_SUPERVISE_H

#include <sys/types.h>

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "backend/backend.h"
#include "base/result.h"

namespace holdfast::run {

struct Outcome {
  int exit_code = 0;  // of the command; 128 + N: it was killed by signal N
  // The signal that killed the command; 0: none, or not known (in a pid namespace).
  int killed_by = 0;
  std::optional<Error> exec_error;  // why the command could not be executed
  backend::Totals totals;
};

// Called once with the forked child. The child is in its namespaces and blocked; the session has
// not adopted it yet.
using PrepareChild = std::function<Result<void>(pid_t child)>;

// What becomes of the processes that the command leaves behind when it ends. Nothing answers their
// calls when the session has ended.
enum class Tree {
  goes_on,  // the run ends with the last of them
  ends,     // they are killed
};
struct LeftBehind {
  Tree tree = Tree::goes_on;
  // Called once, if the command has ended and so many processes are left.
  std::function<void(std::size_t left)> waits = {};
  // Called once, if so many were killed. `alive` could not be.
  std::function<void(std::size_t killed, std::size_t alive)> killed = {};
};

// Runs the command under the session and returns when it has ended, and with Tree::goes_on when
// what it left behind has ended too. Signals that another process
// sends to this one alone are forwarded to the command. Signals to the process group, of the
// terminal too, reach the command directly, because it is in the same group. When the command is
// stopped and there is a terminal, this process stops too. docs/signals.md has the table. After an
// error the command either never ran, or was killed because the session failed. The calling process
// must have one thread.
Result<Outcome> supervise(backend::Session& session, const std::vector<std::string>& command,
                          std::uint32_t unshare_types, const PrepareChild& prepare,
                          const LeftBehind& left_behind);

}  // namespace holdfast::run

#endif  // HOLDFAST_RUN_SUPERVISE_H
