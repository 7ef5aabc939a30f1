// SPDX-License-Identifier: Apache-2.0
#include "hooks/hooks_kernel.h"

#include <bpf/btf.h>

#include <cerrno>
#include <memory>

namespace holdfast::hooks {
namespace {

Result<KernelHooks> read_kernel() {
  const std::unique_ptr<btf, decltype(&btf__free)> kernel(btf__load_vmlinux_btf(), &btf__free);
  if (!kernel)
    return Error{errno, "read the kernel's type information", "/sys/kernel/btf/vmlinux", ""};
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
