// SPDX-License-Identifier: Apache-2.0
// A duplicate of a descriptor of the tree.
#ifndef HOLDFAST_BACKEND_CALLS_FOREIGN_FD_H
#define HOLDFAST_BACKEND_CALLS_FOREIGN_FD_H

#include <utility>

#include "base/fd.h"

namespace holdfast::backend::calls {

// Closes the descriptor without waiting. If it is the last one of a TCP socket with SO_LINGER, its
// close(2) waits for as long as the socket's owner chose. A close(2) of another file may ask the
// server of its file system. Such a descriptor is closed by a thread of its own. Any thread.
void close_foreign(Fd fd);

// As Fd, but closes by close_foreign(). An Fd that is moved out of it closes as usual.
class ForeignFd : public Fd {
 public:
  ForeignFd() = default;
  ForeignFd(Fd&& fd) noexcept : Fd(std::move(fd)) {}
  ForeignFd(ForeignFd&& other) noexcept = default;
  ForeignFd& operator=(ForeignFd&& other) noexcept {
    if (*this) close_foreign(Fd(release()));
    Fd::operator=(std::move(other));
    return *this;
  }
  ~ForeignFd() {
    if (*this) close_foreign(Fd(release()));
  }
};

}  // namespace holdfast::backend::calls

#endif  // HOLDFAST_BACKEND_CALLS_FOREIGN_FD_H
