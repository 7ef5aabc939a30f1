// SPDX-License-Identifier: Apache-2.0
// Features of the running kernel. Each is probed, never derived from the kernel's version.
#ifndef HOLDFAST_KERNEL_PROBE_H
#define HOLDFAST_KERNEL_PROBE_H

#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace holdfast::kernel {

// Whether /sys/kernel/btf/vmlinux is readable. Without this type information no BPF object of
// holdfast loads.
[[nodiscard]] bool has_kernel_types();

// The active security modules, in the kernel's order, from the file "lsm" of securityfs. When
// securityfs is not mounted, this makes a detached mount of it. A configured module
// (CONFIG_BPF_LSM) may be inactive: links attach to an inactive module and do nothing. Errors:
// EPERM when securityfs is not mounted and the caller may not mount it; of open(2), read(2).
[[nodiscard]] Result<std::vector<std::string>> active_lsms();
// Errors: as active_lsms().
[[nodiscard]] Result<bool> is_lsm_active(std::string_view name);

// Whether the caller has CAP_SYS_ADMIN and is in the initial user namespace. In another user
// namespace the kernel refuses the program types that holdfast uses.
[[nodiscard]] bool may_load_bpf();

}  // namespace holdfast::kernel

#endif  // HOLDFAST_KERNEL_PROBE_H
