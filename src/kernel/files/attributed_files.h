// SPDX-License-Identifier: Apache-2.0
// Executables that have an extended attribute: xattr(7).
#ifndef HOLDFAST_KERNEL_FILES_ATTRIBUTED_FILES_H
#define HOLDFAST_KERNEL_FILES_ATTRIBUTED_FILES_H

#include <functional>
#include <span>
#include <string>

#include "base/fd.h"

namespace holdfast::kernel {

// Searches the files below `directory`, on its file system only. Calls `found` once for each
// executable regular file and each of `names` that it has. The descriptor is borrowed until `found`
// returns. Symbolic links are not followed. Skips files that cannot be opened or that disappear.
void for_each_executable_with(const std::string& directory, std::span<const std::string> names,
                              const std::function<void(int fd, const std::string& name)>& found);

// Whether the open file has the attribute now: fgetxattr(2). False also on errors.
[[nodiscard]] bool has_attribute(int fd, const std::string& name);

}  // namespace holdfast::kernel

#endif  // HOLDFAST_KERNEL_FILES_ATTRIBUTED_FILES_H
