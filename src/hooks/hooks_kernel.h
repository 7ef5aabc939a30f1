// SPDX-License-Identifier: Apache-2.0
// What the running kernel offers for each hook, looked up once.
#ifndef HOLDFAST_HOOKS_HOOKS_KERNEL_H
#define HOLDFAST_HOOKS_HOOKS_KERNEL_H

#include <array>

#include "base/result.h"
#include "hooks/hooks_sites.h"

namespace holdfast::hooks {

struct KernelHooks {
  std::array<Offer, kHooks.size()> offers;
  bool reads_labels = false;  // its programs can read a socket's labels (bpf_sock_read_xattr)
  [[nodiscard]] const Offer& offer(Hook hook) const {
    return offers[static_cast<std::size_t>(hook)];
  }
};

// ENOENT: the kernel has no type information. Valid until the process ends; safe from every thread.
const Result<KernelHooks>& running_kernel();

}  // namespace holdfast::hooks

#endif  // HOLDFAST_HOOKS_HOOKS_KERNEL_H
