// SPDX-License-Identifier: Apache-2.0
#include "kernel/random.h"

#include <sys/random.h>

#include "kernel/system_error.h"

namespace holdfast::kernel {

Result<void> fill_random(void* to, std::size_t bytes) {
  if (getrandom(to, bytes, 0) != static_cast<ssize_t>(bytes)) return system_error("getrandom");
  return {};
}

}  // namespace holdfast::kernel
