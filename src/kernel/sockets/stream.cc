// SPDX-License-Identifier: Apache-2.0
#include "kernel/sockets/stream.h"

#include <unistd.h>

#include "kernel/system_error.h"

namespace holdfast::kernel {

Result<Stream> create_stream(const std::string& path) {
  Stream stream(std::fopen(path.c_str(), "we"));
  if (!stream) return system_error("write", path);
  if (std::setvbuf(stream.get(), nullptr, _IOLBF, BUFSIZ) != 0) return system_error("buffer", path);
  return stream;
}

bool is_terminal(int fd) { return ::isatty(fd) == 1; }

}  // namespace holdfast::kernel
