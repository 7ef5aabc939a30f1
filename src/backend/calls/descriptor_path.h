// SPDX-License-Identifier: Apache-2.0
// Paths that name a descriptor of the process that uses them.
#ifndef HOLDFAST_BACKEND_CALLS_DESCRIPTOR_PATH_H
#define HOLDFAST_BACKEND_CALLS_DESCRIPTOR_PATH_H

#include <sys/types.h>

#include <optional>
#include <string_view>

namespace holdfast::backend::calls {

// The descriptor number that a path such as "/proc/self/fd/5" or "/dev/stdout" names. Empty: the
// path is not of that form. `own_number` is the caller's pid in the pid namespace of its /proc.
// Symbolic links that lead to such a path are not followed.
[[nodiscard]] std::optional<int> descriptor_of_path(std::string_view path, pid_t own_number);

}  // namespace holdfast::backend::calls

#endif  // HOLDFAST_BACKEND_CALLS_DESCRIPTOR_PATH_H
