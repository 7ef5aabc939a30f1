// SPDX-License-Identifier: Apache-2.0
// Notices changes of files in directories: inotify(7).
#ifndef HOLDFAST_KERNEL_FILES_WATCH_H
#define HOLDFAST_KERNEL_FILES_WATCH_H

#include <map>
#include <string>
#include <vector>

#include "base/fd.h"
#include "base/result.h"

namespace holdfast::kernel {

// One thread.
class DirectoryWatch {
 public:
  // Skips directories that do not exist. Errors: of inotify_init1(2), inotify_add_watch(2).
  [[nodiscard]] static Result<DirectoryWatch> create(const std::vector<std::string>& directories);
  // Also watches these. Does nothing for those that are watched or do not exist. Errors: of
  // inotify_add_watch(2).
  [[nodiscard]] Result<void> add(const std::vector<std::string>& directories);
  // Borrowed, for poll(2). Readable after a file in a directory was made, written and closed, moved
  // or removed, or its attributes were changed.
  [[nodiscard]] int fd() const { return fd_.get(); }
  // Reads all events. Returns whether there were any that matter: a regular file that was made
  // matters only once it is closed. Does not block.
  [[nodiscard]] bool drain() const;

 private:
  explicit DirectoryWatch(Fd fd) : fd_(std::move(fd)) {}
  Fd fd_;
  std::map<int, std::string> paths_;  // by watch descriptor
};

}  // namespace holdfast::kernel

#endif  // HOLDFAST_KERNEL_FILES_WATCH_H
