// SPDX-License-Identifier: Apache-2.0
// Notices changes of files in directories: inotify(7).
#ifndef HOLDFAST_KERNEL_FILES_WATCH_H
#define HOLDFAST_KERNEL_FILES_WATCH_H

#include <string>
#include <vector>

#include "base/fd.h"
#include "base/result.h"

namespace holdfast::kernel {

class DirectoryWatch {
 public:
  // Skips directories that do not exist. Errors: of inotify_init1(2), inotify_add_watch(2).
  [[nodiscard]] static Result<DirectoryWatch> create(const std::vector<std::string>& directories);
  // Borrowed, for poll(2). Readable after a file was written and closed, moved, or removed.
  [[nodiscard]] int fd() const { return fd_.get(); }
  // Reads and discards all events. Returns whether there were any. Does not block.
  [[nodiscard]] bool drain() const;

 private:
  explicit DirectoryWatch(Fd fd) : fd_(std::move(fd)) {}
  Fd fd_;
};

}  // namespace holdfast::kernel

#endif  // HOLDFAST_KERNEL_FILES_WATCH_H
