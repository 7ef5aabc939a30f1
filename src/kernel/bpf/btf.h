// SPDX-License-Identifier: Apache-2.0
// The running kernel's type information (BTF).
#ifndef HOLDFAST_KERNEL_BPF_BTF_H
#define HOLDFAST_KERNEL_BPF_BTF_H

#include <bpf/btf.h>

#include <memory>
#include <string>

#include "base/result.h"

namespace holdfast::kernel {

// Reads /sys/kernel/btf/vmlinux once, in load(). One thread.
class KernelTypes {
 public:
  // Errors: ENOENT, the kernel has no type information.
  static Result<KernelTypes> load();
  // Of another kernel: `types` is owned from here on, and not null.
  static KernelTypes of(btf* types) { return KernelTypes(types); }
  // Whether the kernel has a function of this name that is not inlined everywhere, so that BPF
  // programs can attach to it.
  [[nodiscard]] bool has_function(const std::string& name) const;
  // Borrowed from this.
  [[nodiscard]] const btf* get() const { return types_.get(); }

 private:
  struct Free {
    void operator()(btf* types) const { btf__free(types); }
  };
  explicit KernelTypes(btf* types) : types_(types) {}
  std::unique_ptr<btf, Free> types_;
};

}  // namespace holdfast::kernel

#endif  // HOLDFAST_KERNEL_BPF_BTF_H
