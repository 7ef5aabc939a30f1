// SPDX-License-Identifier: Apache-2.0
#include "kernel/timer.h"

#include <sys/timerfd.h>
#include <unistd.h>

#include "kernel/system_error.h"

namespace holdfast::kernel {

Result<Fd> make_timer() {
  Fd fd(::timerfd_create(CLOCK_BOOTTIME, TFD_CLOEXEC | TFD_NONBLOCK));
  if (!fd) return system_error("timerfd_create");
  return fd;
}

Result<void> arm_timer(int timer_fd, std::uint64_t delay_ms) {
  itimerspec time = {};
  time.it_value.tv_sec = static_cast<time_t>(delay_ms / 1000);
  time.it_value.tv_nsec = static_cast<long>(delay_ms % 1000) * 1'000'000;
  if (::timerfd_settime(timer_fd, 0, &time, nullptr) != 0) return system_error("timerfd_settime");
  return {};
}

bool timer_expired(int timer_fd) {
  std::uint64_t times = 0;
  return ::read(timer_fd, &times, sizeof(times)) == sizeof(times);
}

}  // namespace holdfast::kernel
