// SPDX-License-Identifier: Apache-2.0
// Which system calls of the tree the supervisor sees, and which nobody in it may make.
#ifndef HOLDFAST_BACKEND_SUPERVISOR_FILTER_H
#define HOLDFAST_BACKEND_SUPERVISOR_FILTER_H

#include <cstdint>

#include "core/abi.h"
#include "kernel/seccomp.h"

namespace holdfast::backend::supervisor {

// Not in the headers of the oldest supported build machine: Linux 7.x.
inline constexpr std::uint64_t kUnshareEmptyMntns = 0x00100000;
inline constexpr std::uint32_t kFsmountNamespace = 2;
inline constexpr std::uint32_t kOpenTreeNamespace = 2;
inline constexpr int kOpenTreeAttrNumber = 467;

// Does the profile confine its members, so that reaching into tasks outside has to be refused?
[[nodiscard]] bool confines(const hf_profile& profile);

[[nodiscard]] kernel::SeccompFilter make_filter(const hf_tables& tables, std::uint16_t profile);

}  // namespace holdfast::backend::supervisor

#endif  // HOLDFAST_BACKEND_SUPERVISOR_FILTER_H
