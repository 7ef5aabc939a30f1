// SPDX-License-Identifier: Apache-2.0
#include "kernel/files/watch.h"

#include <sys/inotify.h>
#include <unistd.h>

#include <array>
#include <utility>

#include "kernel/system_error.h"

namespace holdfast::kernel {

Result<DirectoryWatch> DirectoryWatch::create(const std::vector<std::string>& directories) {
  constexpr std::uint32_t kChanges =
      IN_CLOSE_WRITE | IN_MOVED_FROM | IN_MOVED_TO | IN_DELETE | IN_ONLYDIR;
  Fd fd(inotify_init1(IN_CLOEXEC | IN_NONBLOCK));
  if (!fd) return system_error("watch directories");
  for (const std::string& directory : directories)
    if (inotify_add_watch(fd.get(), directory.c_str(), kChanges) < 0 && errno != ENOENT)
      return system_error("watch directory", directory);
  return DirectoryWatch(std::move(fd));
}

bool DirectoryWatch::drain() const {
  std::array<char, 4096> events;
  bool any = false;
  while (read(fd_.get(), events.data(), events.size()) > 0) any = true;
  return any;
}

}  // namespace holdfast::kernel
