// SPDX-License-Identifier: Apache-2.0
#include "kernel/files/text_file.h"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>

#include "base/fd.h"

namespace holdfast::kernel {

Result<std::string> read_text_file(const std::string& path) {
  return read_text_file_at(AT_FDCWD, path);
}

Result<std::string> read_text_file_at(int directory_fd, const std::string& path) {
  constexpr std::size_t kMaxBytes = 16u << 20;
  const Fd file(::openat(directory_fd, path.c_str(), O_RDONLY | O_CLOEXEC));
  if (!file) return Error{errno, "open", path, ""};
  std::string text;
  char chunk[16384];
  for (;;) {
    const ssize_t bytes = ::read(file.get(), chunk, sizeof(chunk));
    if (bytes < 0 && errno == EINTR) continue;
    if (bytes < 0) return Error{errno, "read", path, ""};
    if (bytes == 0) return text;
    text.append(chunk, static_cast<std::size_t>(bytes));
    if (text.size() > kMaxBytes) return Error{EFBIG, "read", path, ""};
  }
}

}  // namespace holdfast::kernel
