// SPDX-License-Identifier: Apache-2.0
// Output to files, a line at a time.
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

// Truncates or makes the file, mode 0644 but for the umask. Line buffered, so that a line is there
// once it is complete, whatever becomes of this process. Errors: of open(2).
[[nodiscard]] Result<Stream> create_stream(const std::string& path);

// Is this descriptor a terminal?
[[nodiscard]] bool is_terminal(int fd);

}  // namespace holdfast::kernel

#endif  // HOLDFAST_KERNEL_SOCKETS_STREAM_H
