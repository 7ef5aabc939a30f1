// SPDX-License-Identifier: Apache-2.0
#include "kernel/files/watch.h"

#include <sys/inotify.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cstring>
#include <utility>

#include "kernel/system_error.h"

namespace holdfast::kernel {
namespace {

bool is_regular(const std::string& path) {
  struct stat found {};
  return lstat(path.c_str(), &found) == 0 && S_ISREG(found.st_mode);
}

}  // namespace

Result<DirectoryWatch> DirectoryWatch::create(const std::vector<std::string>& directories) {
  Fd fd(inotify_init1(IN_CLOEXEC | IN_NONBLOCK));
  if (!fd) return system_error("watch directories");
  DirectoryWatch watch(std::move(fd));
  HF_TRY(watch.add(directories));
  return watch;
}

Result<void> DirectoryWatch::add(const std::vector<std::string>& directories) {
  constexpr std::uint32_t kChanges =
      IN_CREATE | IN_ATTRIB | IN_CLOSE_WRITE | IN_MOVED_FROM | IN_MOVED_TO | IN_DELETE | IN_ONLYDIR;
  for (const std::string& directory : directories) {
    const int watch = inotify_add_watch(fd_.get(), directory.c_str(), kChanges);
    if (watch < 0 && errno != ENOENT) return system_error("watch directory", directory);
    if (watch >= 0) paths_[watch] = directory;
  }
  return {};
}

bool DirectoryWatch::drain() const {
  std::array<char, 4096> events;
  bool any = false;
  ssize_t count = 0;
  while ((count = read(fd_.get(), events.data(), events.size())) > 0) {
    for (ssize_t at = 0; at + static_cast<ssize_t>(sizeof(inotify_event)) <= count;) {
      inotify_event event;
      std::memcpy(&event, events.data() + at, sizeof(event));
      const char* name = events.data() + at + sizeof(event);
      const auto directory = paths_.find(event.wd);
      // A link or a directory is complete when it is made.
      const bool unfinished = (event.mask & IN_CREATE) != 0 && (event.mask & IN_ISDIR) == 0 &&
                              event.len > 0 && directory != paths_.end() &&
                              is_regular(directory->second + "/" + name);
      any = any || !unfinished;
      at += static_cast<ssize_t>(sizeof(event) + event.len);
    }
  }
  return any;
}

}  // namespace holdfast::kernel
