// SPDX-License-Identifier: Apache-2.0
// Which open files of other processes still exist, without keeping them open.
//
// epoll(7) holds no reference to a file it watches, and forgets it when the last descriptor of it
// anywhere has been closed. So a file that was added through a duplicate, which is then closed, is
// listed in the epoll's fdinfo for exactly as long as somebody else has it, be it in a descriptor
// table or in flight over a unix socket.
#ifndef HOLDFAST_KERNEL_FILES_OPEN_FILE_WATCH_H
#define HOLDFAST_KERNEL_FILES_OPEN_FILE_WATCH_H

#include <cstdint>
#include <vector>

#include "base/fd.h"
#include "base/result.h"
#include "kernel/proc/proc.h"

namespace holdfast::kernel {

// One thread at a time.
class OpenFileWatch {
 public:
  static Result<OpenFileWatch> create();

  // Watches what `fd` refers to, under a number of the caller's. The caller closes `fd` afterwards.
  // ENOSPC: the user's limit on watches (/proc/sys/fs/epoll/max_user_watches).
  Result<void> watch(int fd, std::uint64_t number) const;
  // The numbers of all watched files that still exist, in no order. A few microseconds for each.
  [[nodiscard]] Result<std::vector<std::uint64_t>> numbers(const Proc& proc) const;

 private:
  explicit OpenFileWatch(Fd epoll) : epoll_(std::move(epoll)) {}
  Fd epoll_;
};

}  // namespace holdfast::kernel

#endif  // HOLDFAST_KERNEL_FILES_OPEN_FILE_WATCH_H
