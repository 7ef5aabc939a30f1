// SPDX-License-Identifier: Apache-2.0
// The errno of the call that just failed, of libbpf's too, as an Error: no room but kernel/ reads
// errno.
#ifndef HOLDFAST_KERNEL_SYSTEM_ERROR_H
#define HOLDFAST_KERNEL_SYSTEM_ERROR_H

#include <cerrno>
#include <string>
#include <string_view>
#include <utility>

#include "base/result.h"

namespace holdfast::kernel {

[[nodiscard]] inline Error system_error(std::string_view operation, std::string object = {}) {
  return Error{errno, std::string(operation), std::move(object), {}};
}

}  // namespace holdfast::kernel

#endif  // HOLDFAST_KERNEL_SYSTEM_ERROR_H
