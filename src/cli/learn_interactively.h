// SPDX-License-Identifier: Apache-2.0
// `holdfast learn --interactive`.
#ifndef HOLDFAST_CLI_LEARN_INTERACTIVELY_H
#define HOLDFAST_CLI_LEARN_INTERACTIVELY_H

#include "base/result.h"
#include "cli/commands.h"
#include "explain/learn.h"

namespace holdfast::cli {

// Reads the events, and shows progress. Errors: those of opening and reading; EINVAL a line is not an
// event.
[[nodiscard]] Result<policy::Recording> read_recording_of(const LearnOptions& options);

// Shows each kind of request that the policy refuses, with the smallest change that allows it. The
// changes that the user accepts are written, and made live with a time limit if holdfastd runs.
int learn_interactively(const LearnOptions& options);

}  // namespace holdfast::cli

#endif  // HOLDFAST_CLI_LEARN_INTERACTIVELY_H
