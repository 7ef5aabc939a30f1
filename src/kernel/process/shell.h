// SPDX-License-Identifier: Apache-2.0
// Runs programs of the system for the user, on the terminal.
#ifndef HOLDFAST_KERNEL_PROCESS_SHELL_H
#define HOLDFAST_KERNEL_PROCESS_SHELL_H

#include <string>

#include "base/result.h"

namespace holdfast::kernel {

// Runs a script of sh(1), in which "$1" is `argument`, and waits for its end. Returns its exit code, or
// 128 + signal. Errors: of posix_spawn(3).
[[nodiscard]] Result<int> run_script(const std::string& script, const std::string& argument = "");

}  // namespace holdfast::kernel

#endif  // HOLDFAST_KERNEL_PROCESS_SHELL_H
