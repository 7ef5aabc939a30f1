// SPDX-License-Identifier: Apache-2.0
#include "kernel/whole_file.h"

#include <fcntl.h>
#include <unistd.h>

#include <cstdio>
#include <filesystem>
#include <system_error>

#include "kernel/system_error.h"

namespace holdfast::kernel {

Result<Fd> open_for_reading(const std::string& path) {
  Fd fd(open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (!fd) return system_error("open", path);
  return fd;
}

Result<Fd> open_for_appending(const std::string& path) {
  Fd fd(open(path.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0640));
  if (!fd) return system_error("open", path);
  return fd;
}

Result<void> append_whole(int fd, std::string_view text) {
  const off_t before = lseek(fd, 0, SEEK_END);
  ssize_t written = 0;
  do written = write(fd, text.data(), text.size());
  while (written < 0 && errno == EINTR);
  if (written == static_cast<ssize_t>(text.size())) return {};
  Error failed = written < 0 ? system_error("write") : Error{ENOSPC, "write", {}, {}};
  if (written > 0 && before >= 0 && ftruncate(fd, before) != 0) return system_error("truncate");
  return failed;
}

Result<void> make_directories(const std::string& directory) {
  std::error_code failed;
  std::filesystem::create_directories(directory, failed);
  if (failed) return Error{failed.value(), "make directory", directory, {}};
  return {};
}

Result<void> replace_file(const std::string& path, std::string_view text) {
  const std::string temporary = path + ".new";
  const Fd fd(open(temporary.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600));
  if (!fd) return system_error("write", temporary);
  while (!text.empty()) {
    const ssize_t written = write(fd.get(), text.data(), text.size());
    if (written < 0 && errno == EINTR) continue;
    if (written < 0) {
      Error failed = system_error("write", temporary);
      unlink(temporary.c_str());
      return failed;
    }
    text.remove_prefix(static_cast<std::size_t>(written));
  }
  if (fsync(fd.get()) != 0) return system_error("sync", temporary);
  if (rename(temporary.c_str(), path.c_str()) != 0) return system_error("rename", temporary);
  return {};
}

}  // namespace holdfast::kernel
