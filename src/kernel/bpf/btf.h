// SPDX-License-Identifier: Apache-2.0
// The running kernel's own description of its functions.
#ifndef HOLDFAST_KERNEL_BPF_BTF_H
#define HOLDFAST_KERNEL_BPF_BTF_H

#include <bpf/btf.h>

#include <memory>
#include <string>

#include "base/result.h"

namespace holdfast::kernel {

// Reads /sys/kernel/btf/vmlinux once; ask it as often as you like. One thread.
class KernelTypes {
 public:
  // Errors: ENOENT without type information.
  static Result<KernelTypes> load();
  // Is there such a function, not inlined everywhere, that a BPF program can be attached to?
  [[nodiscard]] bool has_function(const std::string& name) const;

 private:
  struct Free {
    void operator()(btf* types) const { btf__free(types); }
  };
  explicit KernelTypes(btf* types) : types_(types) {}
  std::unique_ptr<btf, Free> types_;
};

}  // namespace holdfast::kernel

#endif  // HOLDFAST_KERNEL_BPF_BTF_H
