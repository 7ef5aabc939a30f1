// SPDX-License-Identifier: Apache-2.0
// The life of one run: fork, hold, release, watch, end.
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
  int exit_code = 0;                // of the command, as a shell says it
  std::optional<Error> exec_error;  // why the command could not be executed
  backend::Totals totals;
};

// Something to do to the forked child, which is in its namespaces and waits to be held and
// released.
using PrepareChild = std::function<Result<void>(pid_t child)>;

// Runs the command under the session and returns when it has ended. Signals that are sent to this
// process meanwhile are passed on to the command; those of the terminal reach it by themselves,
// since it stays in this process's group. Errors: nothing of the command ran, or the session broke
// and the command was killed. The process must have one thread.
Result<Outcome> supervise(backend::Session& session, const std::vector<std::string>& command,
                          std::uint32_t unshare_types, const PrepareChild& prepare);

}  // namespace holdfast::run

#endif  // HOLDFAST_RUN_SUPERVISE_H
