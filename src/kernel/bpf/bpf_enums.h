// SPDX-License-Identifier: Apache-2.0
// Reads enums of the running kernel from its type information (BTF).
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

// The enumerators of the named enums, each list in the kernel's order, aliases included. Reads
// /sys/kernel/btf/vmlinux once (about 5 MB).
// Errors: ENOENT, no type information, or one of the enums is missing.
[[nodiscard]] Result<std::vector<std::vector<Enumerator>>> kernel_enums(
    const std::vector<std::string_view>& names);

}  // namespace holdfast::kernel

#endif  // HOLDFAST_KERNEL_BPF_BPF_ENUMS_H
