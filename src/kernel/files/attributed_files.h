// SPDX-License-Identifier: Apache-2.0
// Executables that have an extended attribute: xattr(7).
#ifndef HOLDFAST_KERNEL_FILES_ATTRIBUTED_FILES_H
#define HOLDFAST_KERNEL_FILES_ATTRIBUTED_FILES_H

#include <functional>
#include <span>
#include <string>

#include "base/fd.h"

namespace holdfast::kernel {

// Calls `found` for each executable regular file of the directory's file system, below it, and each
// of `names` that it has; the descriptor is lent. Symbolic links are not followed. What cannot be
// read, or goes away meanwhile, is passed over: it is then as if it had no attribute.
void each_executable_with(const std::string& directory, std::span<const std::string> names,
                          const std::function<void(int fd, const std::string& name)>& found);

// Whether the open file has the attribute now; a system call in any case.
[[nodiscard]] bool has_attribute(int fd, const std::string& name);

}  // namespace holdfast::kernel

#endif  // HOLDFAST_KERNEL_FILES_ATTRIBUTED_FILES_H
