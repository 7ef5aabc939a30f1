// SPDX-License-Identifier: Apache-2.0
// The enumerations of the running kernel, from its own type information.
#ifndef HOLDFAST_KERNEL_BPF_BPF_ENUMS_H
#define HOLDFAST_KERNEL_BPF_BPF_ENUMS_H

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace holdfast::kernel {

struct Enumerator {
  std::string name;
  std::int64_t value = 0;
};

// Enumerators of the named enums, each list in the kernel's order, aliases included. Reads
// /sys/kernel/btf/vmlinux once for all of them (about 5 MB).
// Errors: ENOENT without type information or without one of the enums.
[[nodiscard]] Result<std::vector<std::vector<Enumerator>>> kernel_enums(
    const std::vector<std::string_view>& names);

}  // namespace holdfast::kernel

#endif  // HOLDFAST_KERNEL_BPF_BPF_ENUMS_H
