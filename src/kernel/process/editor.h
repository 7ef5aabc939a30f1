// SPDX-License-Identifier: Apache-2.0
// Lets the user edit a file.
#ifndef HOLDFAST_KERNEL_PROCESS_EDITOR_H
#define HOLDFAST_KERNEL_PROCESS_EDITOR_H

#include <string>

#include "base/result.h"

namespace holdfast::kernel {

// Runs $VISUAL, $EDITOR or vi on the file, by sh(1), and waits for its end. Returns its exit code, or
// 128 + signal. Errors: of posix_spawn(3).
[[nodiscard]] Result<int> run_editor(const std::string& path);

}  // namespace holdfast::kernel

#endif  // HOLDFAST_KERNEL_PROCESS_EDITOR_H
