// SPDX-License-Identifier: Apache-2.0
// Small text files of the kernel's: /proc and /sys.
#ifndef HOLDFAST_KERNEL_FILES_TEXT_FILE_H
#define HOLDFAST_KERNEL_FILES_TEXT_FILE_H

#include <string>

#include "base/result.h"

namespace holdfast::kernel {

// The whole file, at most 16 MiB. Errors: what open(2) and read(2) say; EFBIG.
[[nodiscard]] Result<std::string> read_text_file(const std::string& path);
[[nodiscard]] Result<std::string> read_text_file_at(int directory_fd, const std::string& path);

}  // namespace holdfast::kernel

#endif  // HOLDFAST_KERNEL_FILES_TEXT_FILE_H
