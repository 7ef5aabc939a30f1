// SPDX-License-Identifier: Apache-2.0
#include "kernel/files/plain_file.h"

#include <fcntl.h>
#include <fmt/core.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <filesystem>
#include <string_view>
#include <system_error>

#include "base/fd.h"
#include "kernel/system_error.h"

namespace holdfast::kernel {
namespace {

std::string_view kind_of(mode_t mode) {
  switch (mode & S_IFMT) {
    case S_IFIFO:
      return "a FIFO";
    case S_IFDIR:
      return "a directory";
    case S_IFSOCK:
      return "a socket";
    case S_IFCHR:
    case S_IFBLK:
      return "a device";
    default:
      return "no regular file";
  }
}

Error not_regular(const std::string& path, mode_t mode) {
  return {EINVAL, "read", path, std::string(kind_of(mode))};
}

}  // namespace

Result<std::string> read_plain_file(const std::string& path, std::size_t most_bytes) {
  // Opening a device can have effects, and opening a FIFO waits without O_NONBLOCK.
  struct stat found {};
  if (stat(path.c_str(), &found) != 0) return system_error("read", path);
  if (!S_ISREG(found.st_mode)) return not_regular(path, found.st_mode);
  const Fd fd(open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY));
  if (!fd) return system_error("read", path);
  if (fstat(fd.get(), &found) != 0) return system_error("read", path);
  if (!S_ISREG(found.st_mode)) return not_regular(path, found.st_mode);
  std::string text;
  std::string block(std::size_t{64} * 1024, '\0');
  while (true) {
    const ssize_t count = read(fd.get(), block.data(), block.size());
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) return system_error("read", path);
    if (count == 0) return text;
    text.append(block, 0, static_cast<std::size_t>(count));
    if (text.size() > most_bytes) return Error{EFBIG, "read", path, ""};
  }
}

Result<std::string> other_writers(const std::string& path, Sticky sticky) {
  std::error_code failed;
  std::filesystem::path at = std::filesystem::canonical(path, failed);
  if (failed) return Error{failed.value(), "look at", path, ""};
  while (true) {
    struct stat found {};
    if (lstat(at.c_str(), &found) != 0) return system_error("look at", at.string());
    if (found.st_uid != 0 && found.st_uid != geteuid())
      return fmt::format("{} belongs to user {}", at.string(), found.st_uid);
    const bool kept =
        S_ISDIR(found.st_mode) && (found.st_mode & S_ISVTX) != 0 && sticky == Sticky::is_enough;
    sticky = Sticky::is_enough;
    if ((found.st_mode & (S_IWGRP | S_IWOTH)) != 0 && !kept)
      return fmt::format("group or others may write {} (mode {:04o})", at.string(),
                         found.st_mode & 07777);
    if (!at.has_relative_path()) return std::string();
    at = at.parent_path();
  }
}

bool is_null_link(const std::string& path) {
  std::error_code failed;
  const auto target = std::filesystem::read_symlink(path, failed);
  return !failed && target == "/dev/null";
}

}  // namespace holdfast::kernel
