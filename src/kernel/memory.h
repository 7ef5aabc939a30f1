// SPDX-License-Identifier: Apache-2.0
// The memory of this process.
#ifndef HOLDFAST_KERNEL_MEMORY_H
#define HOLDFAST_KERNEL_MEMORY_H

#include <string>
#include <string_view>

#include "base/fd.h"
#include "base/result.h"

namespace holdfast::kernel {

// Returns freed memory to the kernel: malloc_trim(3). Any thread.
void trim_memory();

// A file without a name that holds these bytes, close-on-exec: memfd_create(2). Errors: of
// memfd_create(2), write(2). Any thread.
Result<Fd> make_memory_file(std::string_view bytes);
// The first `size` bytes of a file. Errors: of pread(2); EPROTO, the file is shorter. Any thread.
Result<std::string> read_memory_file(int fd, std::size_t size);

}  // namespace holdfast::kernel

#endif  // HOLDFAST_KERNEL_MEMORY_H
