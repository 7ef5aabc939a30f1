// SPDX-License-Identifier: Apache-2.0
// An owned file descriptor.
#ifndef HOLDFAST_BASE_FD_H
#define HOLDFAST_BASE_FD_H

#include <utility>

namespace holdfast {

// Owns one descriptor and closes it. Move-only. The code that creates a descriptor makes it
// close-on-exec. Borrowed descriptors are plain `int …_fd`.
class Fd {
 public:
  Fd() = default;
  explicit Fd(int fd) : fd_(fd) {}
  Fd(Fd&& other) noexcept : fd_(other.release()) {}
  Fd& operator=(Fd&& other) noexcept {
    reset(other.release());
    return *this;
  }
  Fd(const Fd&) = delete;
  Fd& operator=(const Fd&) = delete;
  ~Fd() { reset(); }

  // Borrowed; -1: none.
  [[nodiscard]] int get() const { return fd_; }
  explicit operator bool() const { return fd_ >= 0; }
  // The caller owns the descriptor from here on.
  [[nodiscard]] int release() { return std::exchange(fd_, -1); }
  // Closes the old descriptor and takes ownership of `fd`. Ignores errors of close(2).
  void reset(int fd = -1);

 private:
  int fd_ = -1;
};

}  // namespace holdfast

#endif  // HOLDFAST_BASE_FD_H
