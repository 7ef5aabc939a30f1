// SPDX-License-Identifier: Apache-2.0
// A descriptor with which one thread wakes another that polls: eventfd(2).
#ifndef HOLDFAST_KERNEL_WAKEUP_H
#define HOLDFAST_KERNEL_WAKEUP_H

#include "base/fd.h"
#include "base/result.h"

namespace holdfast::kernel {

[[nodiscard]] Result<Fd> make_wakeup();
// It becomes readable. Any thread.
void wake(int wakeup_fd);
// Was it, since the last time? Clears that.
[[nodiscard]] bool was_woken(int wakeup_fd);

}  // namespace holdfast::kernel

#endif  // HOLDFAST_KERNEL_WAKEUP_H
