// SPDX-License-Identifier: Apache-2.0
#include "run/delegation.h"

#include <tuple>

#include "delegate/explain.h"
#include "delegate/grant.h"

namespace holdfast::run {
namespace {

using delegate::Kind;

// Mount options have bits for attach types below 64 only. No kernel has higher ones yet.
delegate::Set set_of(const hf_profile& profile) {
  delegate::Set set;
  if (profile.bpf_ruled == 0) return set;
  set[Kind::kCommands] = profile.bpf_commands;
  set[Kind::kMaps] = profile.bpf_maps;
  set[Kind::kPrograms] = profile.bpf_programs;
  set[Kind::kAttachments] = profile.bpf_attachments[0];
  return set;
}

}  // namespace

// Also with an empty list. Root of the machine needs no token for BPF; root of a user namespace
// does.
std::uint32_t types_for_delegation(const hf_profile& profile) {
  return profile.bpf_ruled == 0 ? 0 : HF_NS_USER | HF_NS_MNT;
}

Result<void> delegate_bpf(const hf_profile& profile, pid_t child) {
  const delegate::Set set = set_of(profile);
  if (set.empty()) return {};
  HF_TRY_ASSIGN(std::ignore,
                wrap(delegate::grant({.pid = child, .set = set}, delegate::vocabulary_here()),
                     "bpf.delegate"));
  return {};
}

std::vector<std::string> delegation_warnings(const hf_profile& profile) {
  return delegate::explain(set_of(profile), delegate::built_in_vocabulary()).warnings;
}

bool confines_delegation(const backend::Backend& backend, const hf_profile& profile) {
  if (profile.bpf_attach_to != HF_ATTACH_OWN_CGROUP) return false;
  const backend::Promise promise = backend::promise_of(
      backend.enforcer(), backend::RuleKind::bpf_delegate, backend.conditions());
  return promise.strength == backend::Strength::enforced;
}

}  // namespace holdfast::run
