// SPDX-License-Identifier: Apache-2.0
// What the running kernel has, asked of the kernel itself and never guessed from its version.
#ifndef HOLDFAST_KERNEL_PROBE_H
#define HOLDFAST_KERNEL_PROBE_H

#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace holdfast::kernel {

// Type information of the kernel (/sys/kernel/btf/vmlinux), without which nothing of BPF here
// loads.
[[nodiscard]] bool has_kernel_types();

// The security modules that are active, in the kernel's order: securityfs's "lsm" file, mounted or
// not. Being configured (CONFIG_BPF_LSM) is not enough: links attach to an inactive module and do
// nothing. Errors: EPERM when securityfs is not mounted and the caller may not mount it for itself.
[[nodiscard]] Result<std::vector<std::string>> active_lsms();
[[nodiscard]] Result<bool> is_lsm_active(std::string_view name);

// CAP_SYS_ADMIN in the initial user namespace: in another one BPF refuses the program types used
// here.
[[nodiscard]] bool may_load_bpf();

}  // namespace holdfast::kernel

#endif  // HOLDFAST_KERNEL_PROBE_H
