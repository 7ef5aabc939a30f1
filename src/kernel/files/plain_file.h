// SPDX-License-Identifier: Apache-2.0
// Reads files that may be of any kind and of any user, without waiting for one and without opening
// what is no regular file.
#ifndef HOLDFAST_KERNEL_FILES_PLAIN_FILE_H
#define HOLDFAST_KERNEL_FILES_PLAIN_FILE_H

#include <cstddef>
#include <string>

#include "base/result.h"

namespace holdfast::kernel {

// Reads a regular file of at most `most_bytes` bytes; a symbolic link is followed. Errors: those of
// stat(2), open(2) and read(2); EFBIG; EINVAL it is no regular file, with what it is in the detail.
[[nodiscard]] Result<std::string> read_plain_file(const std::string& path, std::size_t most_bytes);

// Why users other than root and the caller could change the file at `path`, after symbolic links:
// "FILE belongs to user 1000", "group or others may write DIRECTORY (mode 0775)". "": they could
// not. Looks at the file and at every directory above it. A directory with the sticky bit may be
// writable: others cannot replace what is not theirs. With Sticky::counts, `path` itself may not,
// since others can add files to it. Errors: those of realpath(3) and lstat(2).
enum class Sticky { is_enough, counts };
[[nodiscard]] Result<std::string> other_writers(const std::string& path,
                                                Sticky sticky = Sticky::is_enough);

// Is `path` a symbolic link to /dev/null, by its text?
[[nodiscard]] bool is_null_link(const std::string& path);

}  // namespace holdfast::kernel

#endif  // HOLDFAST_KERNEL_FILES_PLAIN_FILE_H
