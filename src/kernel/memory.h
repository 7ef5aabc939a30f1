// SPDX-License-Identifier: Apache-2.0
// The memory of this process.
#ifndef HOLDFAST_KERNEL_MEMORY_H
#define HOLDFAST_KERNEL_MEMORY_H

namespace holdfast::kernel {

// Gives memory that was freed back to the system: malloc_trim(3).
void trim_memory();

}  // namespace holdfast::kernel

#endif  // HOLDFAST_KERNEL_MEMORY_H
