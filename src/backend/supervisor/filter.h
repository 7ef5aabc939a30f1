// SPDX-License-Identifier: Apache-2.0
// Which system calls of the tree the supervisor sees, and which nobody in it may make.
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
// The longest write to a file of a cgroup that is seen as a move, in bytes. A number has 10 digits.
inline constexpr std::uint32_t kMaxMoveBytes = 31;
// The same for the parts of a vector.
inline constexpr std::uint32_t kMaxMoveVectors = 3;

// Does the profile confine its members, so that reaching into tasks outside has to be refused?
[[nodiscard]] bool confines(const hf_profile& profile);

// Does the profile decide about sockets, so that descriptors have to stay what they are?
[[nodiscard]] bool judges_sockets(const hf_profile& profile);

// What is seen only where somebody needs it: each costs the calls it is about.
struct Wanted {
  calls::AttributeCalls attributes = calls::AttributeCalls::none;
  std::uint32_t socket_operations = 0;  // HF_SOCK_*
  bool cgroup_files = false;            // opened for writing, and written to
  bool confinement = false;             // tasks that confine themselves with Landlock
};

[[nodiscard]] kernel::SeccompFilter make_filter(const hf_tables& tables, std::uint16_t profile,
                                                const Wanted& wanted);

}  // namespace holdfast::backend::supervisor

#endif  // HOLDFAST_BACKEND_SUPERVISOR_FILTER_H
