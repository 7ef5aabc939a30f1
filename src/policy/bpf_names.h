// SPDX-License-Identifier: Apache-2.0
// The kernel's names for the BPF values of a request.
#ifndef HOLDFAST_POLICY_BPF_NAMES_H
#define HOLDFAST_POLICY_BPF_NAMES_H

#include "base/bpf_names.h"
#include "policy/enum_names.h"

namespace holdfast::policy {

using holdfast::kBpfAttachNames;
using holdfast::kBpfCommandNames;
using holdfast::kBpfMapNames;
using holdfast::kBpfProgramNames;

// The names for hf_request.bpf_value of a request by `way` (HF_VIA_BPF_*). Empty for other ways.
[[nodiscard]] constexpr Names bpf_names(std::uint32_t way) {
  switch (way) {
    case HF_VIA_BPF_COMMAND:
      return kBpfCommandNames;
    case HF_VIA_BPF_MAP:
      return kBpfMapNames;
    case HF_VIA_BPF_PROGRAM:
      return kBpfProgramNames;
    case HF_VIA_BPF_ATTACH:
      return kBpfAttachNames;
    default:
      return {};
  }
}

}  // namespace holdfast::policy

#endif  // HOLDFAST_POLICY_BPF_NAMES_H
