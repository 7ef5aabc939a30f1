// SPDX-License-Identifier: Apache-2.0
#include "kernel/bpf/btf.h"

#include <cerrno>

namespace holdfast::kernel {

Result<KernelTypes> KernelTypes::load() {
  btf* types = btf__load_vmlinux_btf();
  if (types == nullptr) return Error{errno, "read type information", "/sys/kernel/btf/vmlinux", {}};
  return KernelTypes(types);
}

bool KernelTypes::has_function(const std::string& name) const {
  return btf__find_by_name_kind(types_.get(), name.c_str(), BTF_KIND_FUNC) >= 0;
}

}  // namespace holdfast::kernel
