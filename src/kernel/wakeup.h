// SPDX-License-Identifier: Apache-2.0
// A descriptor by which one thread wakes another thread from poll(2): eventfd(2).
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

}  // namespace holdfast::kernel

#endif  // HOLDFAST_KERNEL_WAKEUP_H
