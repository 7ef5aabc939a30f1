// SPDX-License-Identifier: Apache-2.0
// Applies bpf.delegate of a profile to a run.
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

// HF_NS_*: the namespaces that the profile's delegation needs. A BPF token needs a user namespace
// other than the initial one, and its BPF filesystem needs a mount namespace. 0: the profile has no
// bpf.delegate. An empty list counts too: it denies BPF, and root of a user namespace has none.
[[nodiscard]] std::uint32_t types_for_delegation(const hf_profile& profile);

// Mounts a BPF filesystem with the delegation at /sys/fs/bpf of the child. The child has made its
// namespaces and is blocked. Does nothing if the profile delegates nothing. Errors: those of
// delegate::grant().
[[nodiscard]] Result<void> delegate_bpf(const hf_profile& profile, pid_t child);

// Effects that the delegated privileges can have outside of the command if no backend confines
// them, one sentence each.
[[nodiscard]] std::vector<std::string> delegation_warnings(const hf_profile& profile);

// Does the profile limit attachments to the command's own cgroup, and does the backend enforce it?
[[nodiscard]] bool confines_delegation(const backend::Backend& backend, const hf_profile& profile);

}  // namespace holdfast::run

#endif  // HOLDFAST_RUN_DELEGATION_H
