// SPDX-License-Identifier: Apache-2.0
// The seccomp filter of the tree: which system calls the supervisor is notified of, and which are
// refused for every task.
#ifndef HOLDFAST_BACKEND_SUPERVISOR_FILTER_H
#define HOLDFAST_BACKEND_SUPERVISOR_FILTER_H

#include <cstdint>

#include "backend/calls/attributes.h"
#include "core/abi.h"
#include "kernel/process/seccomp.h"

namespace holdfast::backend::supervisor {

// Not in the headers of the oldest supported build machine: Linux 7.x.
inline constexpr std::uint64_t kUnshareEmptyMntns = 0x00100000;
inline constexpr std::uint32_t kFsmountNamespace = 2;
inline constexpr std::uint32_t kOpenTreeNamespace = 2;
inline constexpr int kOpenTreeAttrNumber = 467;
// The longest write to cgroup.procs or cgroup.threads that is notified, in bytes. A pid has at most
// 10 digits.
inline constexpr std::uint32_t kMaxMoveBytes = 31;
// The same for writev(2): the largest number of vectors.
inline constexpr std::uint32_t kMaxMoveVectors = 3;

// Does the profile limit namespaces? If so, its members must not trace tasks outside.
[[nodiscard]] bool confines(const hf_profile& profile);

// Calls that are notified only if a rule needs them, since each notification costs time.
struct Wanted {
  calls::AttributeCalls attributes = calls::AttributeCalls::none;
  std::uint32_t socket_operations = 0;  // HF_SOCK_*
  bool cgroup_files = false;            // opens for writing
  bool cgroup_writes = false;           // short writes, with `cgroup_files`
  bool confinement = false;             // landlock_restrict_self()
};

[[nodiscard]] kernel::SeccompFilter make_filter(const hf_tables& tables, std::uint16_t profile,
                                                const Wanted& wanted);

}  // namespace holdfast::backend::supervisor

#endif  // HOLDFAST_BACKEND_SUPERVISOR_FILTER_H
