// SPDX-License-Identifier: Apache-2.0
// Descriptors that end a wait in poll(2): one by which one thread wakes another (eventfd(2)), and sets of
// descriptors.
#ifndef HOLDFAST_KERNEL_WAKEUP_H
#define HOLDFAST_KERNEL_WAKEUP_H

#include "base/fd.h"
#include "base/result.h"

namespace holdfast::kernel {

// Non-blocking, not readable yet. Errors: of eventfd(2).
[[nodiscard]] Result<Fd> make_wakeup();
// Puts a descriptor that is never readable in the place of `fd`, which is closed. Errors: of
// eventfd(2), dup3(2).
[[nodiscard]] Result<void> silence(int fd);
// Makes the descriptor readable. Any thread.
void wake(int wakeup_fd);
// Whether wake() was called since the last call of this function. Makes the descriptor unreadable.
[[nodiscard]] bool was_woken(int wakeup_fd);

// A set of descriptors, itself a descriptor that is readable while one of them is: epoll(7). Errors: of
// epoll_create1(2).
[[nodiscard]] Result<Fd> make_watch_set();
// Adds a borrowed descriptor, until it is closed. Errors: of epoll_ctl(2).
Result<void> watch_readable(int set_fd, int fd);
// Removes it. Ignores errors.
void watch_no_more(int set_fd, int fd);
// Is one of them readable now?
[[nodiscard]] bool has_readable(int set_fd);

}  // namespace holdfast::kernel

#endif  // HOLDFAST_KERNEL_WAKEUP_H
