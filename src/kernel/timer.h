// SPDX-License-Identifier: Apache-2.0
// A timer that poll(2) can wait for: timerfd_create(2), on CLOCK_BOOTTIME.
#ifndef HOLDFAST_KERNEL_TIMER_H
#define HOLDFAST_KERNEL_TIMER_H

#include <cstdint>

#include "base/fd.h"
#include "base/result.h"

namespace holdfast::kernel {

// A disarmed timer, non-blocking. It becomes readable when it expires. Errors: of
// timerfd_create(2).
Result<Fd> make_timer();
// Arms the timer to expire once, `delay_ms` milliseconds from now; 0 disarms it. Replaces the
// earlier setting. Errors: of timerfd_settime(2).
Result<void> arm_timer(int timer_fd, std::uint64_t delay_ms);
// Whether the timer has expired since it was armed or since the last call that returned true.
[[nodiscard]] bool timer_expired(int timer_fd);

}  // namespace holdfast::kernel

#endif  // HOLDFAST_KERNEL_TIMER_H
