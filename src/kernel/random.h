// SPDX-License-Identifier: Apache-2.0
// Random bytes: getrandom(2).
#ifndef HOLDFAST_KERNEL_RANDOM_H
#define HOLDFAST_KERNEL_RANDOM_H

#include <cstddef>

#include "base/result.h"

namespace holdfast::kernel {

// Fills `to` with `bytes` random bytes, at most 256: getrandom(2) does not return fewer for such a
// size. Blocks until the kernel's generator is initialised. Errors: of getrandom(2). Any thread.
[[nodiscard]] Result<void> fill_random(void* to, std::size_t bytes);

}  // namespace holdfast::kernel

#endif  // HOLDFAST_KERNEL_RANDOM_H
