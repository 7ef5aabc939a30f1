// SPDX-License-Identifier: Apache-2.0
// bpf.delegate of a profile: what `run` makes of it.
#ifndef HOLDFAST_RUN_DELEGATION_H
#define HOLDFAST_RUN_DELEGATION_H

#include <sys/types.h>

#include <cstdint>
#include <string>
#include <vector>

#include "backend/backend.h"
#include "base/result.h"
#include "core/abi.h"

namespace holdfast::run {

// Namespaces without which the profile's delegation cannot be: tokens exist only in a user
// namespace of their own, and its BPF filesystem wants a mount namespace. HF_NS_* mask; 0: nothing
// delegated.
[[nodiscard]] std::uint32_t types_for_delegation(const hf_profile& profile);

// Mounts the delegation at /sys/fs/bpf of the child, which has made the namespaces and waits. Does
// nothing for a profile that delegates nothing. Errors: those of delegate::grant().
[[nodiscard]] Result<void> delegate_bpf(const hf_profile& profile, pid_t child);

// What the delegation reaches beyond the command where nothing but the kernel holds it, one
// sentence each; empty: nothing.
[[nodiscard]] std::vector<std::string> delegation_warnings(const hf_profile& profile);

// Does the backend keep what is delegated to the command's own cgroup, as the profile asks?
[[nodiscard]] bool confines_delegation(const backend::Backend& backend, const hf_profile& profile);

}  // namespace holdfast::run

#endif  // HOLDFAST_RUN_DELEGATION_H
