// SPDX-License-Identifier: Apache-2.0
#include "hooks/hooks_kernel.h"

#include "kernel/bpf/btf.h"

namespace holdfast::hooks {
namespace {

Result<KernelHooks> read_kernel() {
  HF_TRY_ASSIGN(const auto kernel, kernel::KernelTypes::load());
  KernelHooks hooks;
  for (Hook hook : kHooks)
    hooks.offers[static_cast<std::size_t>(hook)] = find_offer(kernel.get(), hook);
  hooks.labels = find_label_offer(kernel.get());
  return hooks;
}

}  // namespace

const Result<KernelHooks>& running_kernel() {
  static const Result<KernelHooks> hooks = read_kernel();
  return hooks;
}

}  // namespace holdfast::hooks
