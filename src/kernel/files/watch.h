// SPDX-License-Identifier: Apache-2.0
// Being told that files of a directory changed: inotify(7).
#ifndef HOLDFAST_KERNEL_FILES_WATCH_H
#define HOLDFAST_KERNEL_FILES_WATCH_H

#include <string>
#include <vector>

#include "base/fd.h"
#include "base/result.h"

namespace holdfast::kernel {

class DirectoryWatch {
 public:
  // Directories that are not there are passed over. Errors: of inotify_init1(2),
  // inotify_add_watch(2).
  [[nodiscard]] static Result<DirectoryWatch> create(const std::vector<std::string>& directories);
  // Readable when a file was written and closed, moved, or removed.
  [[nodiscard]] int fd() const { return fd_.get(); }
  // Forgets what happened so far. Whether anything had.
  [[nodiscard]] bool drain() const;

 private:
  explicit DirectoryWatch(Fd fd) : fd_(std::move(fd)) {}
  Fd fd_;
};

}  // namespace holdfast::kernel

#endif  // HOLDFAST_KERNEL_FILES_WATCH_H
