// SPDX-License-Identifier: Apache-2.0
#include "kernel/wakeup.h"

#include <sys/eventfd.h>
#include <unistd.h>

#include <fcntl.h>

#include <cstdint>

#include "kernel/system_error.h"

namespace holdfast::kernel {

Result<Fd> make_wakeup() {
  Fd fd(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
  if (!fd) return system_error("eventfd");
  return fd;
}

Result<void> silence(int fd) {
  HF_TRY_ASSIGN(const auto silent, make_wakeup());
  if (::dup3(silent.get(), fd, O_CLOEXEC) < 0) return system_error("dup3");
  return {};
}

// The write fails only when the counter would reach 2^64 - 1.
void wake(int wakeup_fd) {
  const std::uint64_t one = 1;
  [[maybe_unused]] const ssize_t written = ::write(wakeup_fd, &one, sizeof(one));
}

bool was_woken(int wakeup_fd) {
  std::uint64_t times = 0;
  return ::read(wakeup_fd, &times, sizeof(times)) == sizeof(times);
}

}  // namespace holdfast::kernel
