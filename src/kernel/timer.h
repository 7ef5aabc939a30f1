// SPDX-License-Identifier: Apache-2.0
// A timer to poll for: timerfd_create(2), on CLOCK_BOOTTIME.
#ifndef HOLDFAST_KERNEL_TIMER_H
#define HOLDFAST_KERNEL_TIMER_H

#include <cstdint>

#include "base/fd.h"
#include "base/result.h"

namespace holdfast::kernel {

// Readable once the time is up. Not armed yet. Errors: timerfd_create(2).
Result<Fd> make_timer();
// Fires once, after `delay_ms`. Replaces what it was armed for before. Errors: timerfd_settime(2).
Result<void> arm_timer(int timer_fd, std::uint64_t delay_ms);
// Has it run out since it was armed? Clears that.
[[nodiscard]] bool timer_expired(int timer_fd);

}  // namespace holdfast::kernel

#endif  // HOLDFAST_KERNEL_TIMER_H
