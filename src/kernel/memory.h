// SPDX-License-Identifier: Apache-2.0
// The memory of this process.
#ifndef HOLDFAST_KERNEL_MEMORY_H
#define HOLDFAST_KERNEL_MEMORY_H

namespace holdfast::kernel {

// Returns freed memory to the kernel: malloc_trim(3). Any thread.
void trim_memory();

}  // namespace holdfast::kernel

#endif  // HOLDFAST_KERNEL_MEMORY_H
