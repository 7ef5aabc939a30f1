// SPDX-License-Identifier: Apache-2.0
// The support of the running kernel for each hook. It is read once.
#ifndef HOLDFAST_HOOKS_HOOKS_KERNEL_H
#define HOLDFAST_HOOKS_HOOKS_KERNEL_H

#include <array>

#include "base/result.h"
#include "hooks/hooks_sites.h"
#include "hooks/label_reader.h"

namespace holdfast::hooks {

struct KernelHooks {
  std::array<Offer, kHooks.size()> offers;
  LabelOffer labels;  // bpf_sock_read_xattr()
  [[nodiscard]] const Offer& offer(Hook hook) const {
    return offers[static_cast<std::size_t>(hook)];
  }
};

// Errors: ENOENT, the kernel has no type information. The reference is valid until the process
// ends. Any thread.
const Result<KernelHooks>& running_kernel();

}  // namespace holdfast::hooks

#endif  // HOLDFAST_HOOKS_HOOKS_KERNEL_H
