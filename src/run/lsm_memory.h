// SPDX-License-Identifier: Apache-2.0
// Remembers that the lsm backend cannot be used here, since finding out takes longer than all the
// rest of a start.
#ifndef HOLDFAST_RUN_LSM_MEMORY_H
#define HOLDFAST_RUN_LSM_MEMORY_H

#include <string>

#include "base/result.h"

namespace holdfast::run {

inline constexpr char kLsmMemory[] = "/run/holdfast/lsm-unavailable";

// Why the lsm backend cannot be used, as remember() was told for the same `privileges`
// (kernel/process/privileges.h). Empty: not known. Ignores a file that another user than root and
// the caller could have written.
[[nodiscard]] std::string recall(const std::string& path, const std::string& privileges);
// Keeps the error if it says that the kernel or the privileges are not sufficient: EPERM, ENOTSUP or
// ENOSYS. Others may pass. Does nothing where the file cannot be written.
void remember(const std::string& path, const std::string& privileges, const Error& why);

}  // namespace holdfast::run

#endif  // HOLDFAST_RUN_LSM_MEMORY_H
