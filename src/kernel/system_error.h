// SPDX-License-Identifier: Apache-2.0
// Makes an Error from errno after a failed call of the C library or libbpf. Only kernel/ reads
// errno in this way.
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
