// SPDX-License-Identifier: Apache-2.0
// Reads text files of /proc and /sys.
#ifndef HOLDFAST_KERNEL_FILES_TEXT_FILE_H
#define HOLDFAST_KERNEL_FILES_TEXT_FILE_H

#include <string>

#include "base/result.h"

namespace holdfast::kernel {

// The whole file. Errors: EFBIG, more than 16 MiB; of open(2), read(2). `path` of the second one is
// relative to `directory_fd`, which is borrowed.
[[nodiscard]] Result<std::string> read_text_file(const std::string& path);
[[nodiscard]] Result<std::string> read_text_file_at(int directory_fd, const std::string& path);

}  // namespace holdfast::kernel

#endif  // HOLDFAST_KERNEL_FILES_TEXT_FILE_H
