// SPDX-License-Identifier: Apache-2.0
#include "kernel/memory.h"

#include <malloc.h>

namespace holdfast::kernel {

void trim_memory() { ::malloc_trim(0); }

}  // namespace holdfast::kernel
