// SPDX-License-Identifier: Apache-2.0
// Random bytes: getrandom(2).
#ifndef HOLDFAST_KERNEL_RANDOM_H
#define HOLDFAST_KERNEL_RANDOM_H

#include <cstddef>

#include "base/result.h"

namespace holdfast::kernel {

// At most 256 bytes. Errors: of getrandom(2).
[[nodiscard]] Result<void> fill_random(void* to, std::size_t bytes);

}  // namespace holdfast::kernel

#endif  // HOLDFAST_KERNEL_RANDOM_H
