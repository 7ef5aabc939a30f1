// SPDX-License-Identifier: Apache-2.0
// Line-buffered output to files.
#ifndef HOLDFAST_KERNEL_SOCKETS_STREAM_H
#define HOLDFAST_KERNEL_SOCKETS_STREAM_H

#include <cstdio>
#include <memory>
#include <string>

#include "base/result.h"

namespace holdfast::kernel {

struct CloseStream {
  void operator()(std::FILE* file) const { std::fclose(file); }
};
using Stream = std::unique_ptr<std::FILE, CloseStream>;

// Truncates or creates the file, with mode 0666 minus the umask. Line buffered: a complete line is
// in the file even if this process then dies. Close-on-exec. Errors: of open(2).
[[nodiscard]] Result<Stream> create_stream(const std::string& path);

// isatty(3).
[[nodiscard]] bool is_terminal(int fd);

}  // namespace holdfast::kernel

#endif  // HOLDFAST_KERNEL_SOCKETS_STREAM_H
