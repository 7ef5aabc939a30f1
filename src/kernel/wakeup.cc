// SPDX-License-Identifier: Apache-2.0
#include "kernel/wakeup.h"

#include <poll.h>
#include <sys/epoll.h>
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

Result<Fd> make_watch_set() {
  Fd fd(::epoll_create1(EPOLL_CLOEXEC));
  if (!fd) return system_error("epoll_create1");
  return fd;
}

Result<void> watch_readable(int set_fd, int fd) {
  epoll_event event = {};
  event.events = EPOLLIN;
  if (::epoll_ctl(set_fd, EPOLL_CTL_ADD, fd, &event) != 0) return system_error("epoll_ctl");
  return {};
}

void watch_no_more(int set_fd, int fd) { (void)::epoll_ctl(set_fd, EPOLL_CTL_DEL, fd, nullptr); }

bool has_readable(int set_fd) {
  pollfd one = {.fd = set_fd, .events = POLLIN, .revents = 0};
  return ::poll(&one, 1, 0) > 0;
}

}  // namespace holdfast::kernel
