// SPDX-License-Identifier: Apache-2.0
#include "kernel/proc/open_files.h"

#include <dirent.h>
#include <fcntl.h>
#include <linux/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <memory>

#include "base/text.h"
#include "kernel/system_error.h"

namespace holdfast::kernel {
namespace {

struct CloseDirectory {
  void operator()(DIR* directory) const { ::closedir(directory); }
};

}  // namespace

Result<std::vector<OpenFile>> open_files(pid_t pid) {
  const std::string path = "/proc/" + std::to_string(pid) + "/fd";
  const std::unique_ptr<DIR, CloseDirectory> directory(::opendir(path.c_str()));
  if (!directory) return Error{errno, "list", path, ""};
  std::vector<OpenFile> files;
  while (const dirent* entry = ::readdir(directory.get())) {
    const auto number = holdfast::number<int>(entry->d_name);
    if (!number) continue;  // "." and ".."
    const std::string file = path + "/" + entry->d_name;
    char target[4096];
    const ssize_t bytes = ::readlink(file.c_str(), target, sizeof(target));
    if (bytes > 0)
      files.push_back({*number, file, std::string(target, static_cast<std::size_t>(bytes))});
  }
  return files;
}

Result<std::string> path_of_descriptor(int fd) {
  const std::string link = "/proc/self/fd/" + std::to_string(fd);
  std::array<char, 4096> text;
  const ssize_t length = readlink(link.c_str(), text.data(), text.size());
  if (length < 0) return system_error("readlink", link);
  return std::string(text.data(), static_cast<std::size_t>(length));
}

std::string fdinfo_path(const std::string& fd_path) {
  const std::size_t slash = fd_path.rfind("/fd/");
  if (slash == std::string::npos) return fd_path;
  return fd_path.substr(0, slash) + "/fdinfo/" + fd_path.substr(slash + 4);
}

Result<std::uint64_t> mount_id(const std::string& path) {
  struct statx status {};
  if (::syscall(SYS_statx, AT_FDCWD, path.c_str(), 0, STATX_MNT_ID, &status) != 0)
    return Error{errno, "stat", path, ""};
  return std::uint64_t{status.stx_mnt_id};
}

}  // namespace holdfast::kernel
