// SPDX-License-Identifier: Apache-2.0
// Watches whether open files of other processes still exist, without a reference that keeps them
// open.
//
// epoll(7) holds no reference to a file that it watches. It removes the file when the last
// descriptor of it, in any process, has been closed. The caller adds a file through a duplicate and
// closes the duplicate. Then the epoll's fdinfo lists the file for exactly as long as another
// descriptor of it exists, in a descriptor table or in flight over a unix socket.
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
  // Errors: of epoll_create1(2).
  static Result<OpenFileWatch> create();

  // Watches the open file of `fd`. `number` is any number of the caller. The caller then closes
  // `fd`. Errors: ENOSPC, the user's limit (/proc/sys/fs/epoll/max_user_watches); EPERM, a file
  // that epoll does not support; of epoll_ctl(2).
  Result<void> watch(int fd, std::uint64_t number) const;
  // The numbers of all watched files that still exist, in no order. Takes a few microseconds for
  // each. Errors: of reading fdinfo; EPROTO.
  [[nodiscard]] Result<std::vector<std::uint64_t>> numbers(const Proc& proc) const;

 private:
  explicit OpenFileWatch(Fd epoll) : epoll_(std::move(epoll)) {}
  Fd epoll_;
};

}  // namespace holdfast::kernel

#endif  // HOLDFAST_KERNEL_FILES_OPEN_FILE_WATCH_H
