// SPDX-License-Identifier: Apache-2.0
#include "kernel/bpf/bpf_enums.h"

#include <bpf/btf.h>
#include <linux/btf.h>

#include <cerrno>
#include <memory>

namespace holdfast::kernel {
namespace {

struct FreeBtf {
  void operator()(btf* types) const { btf__free(types); }
};

constexpr const char* kPath = "/sys/kernel/btf/vmlinux";

std::vector<Enumerator> enumerators(const btf* types, const btf_type* type) {
  std::vector<Enumerator> out;
  const struct btf_enum* entries = btf_enum(type);
  for (std::uint32_t i = 0; i < btf_vlen(type); i++) {
    const char* name = btf__name_by_offset(types, entries[i].name_off);
    out.push_back({name != nullptr ? name : "", entries[i].val});
  }
  return out;
}

}  // namespace

Result<std::vector<std::vector<Enumerator>>> kernel_enums(
    const std::vector<std::string_view>& names) {
  const std::unique_ptr<btf, FreeBtf> types(btf__parse_raw(kPath));
  if (!types) return Error{errno, "read type information", kPath, ""};
  std::vector<std::vector<Enumerator>> out;
  for (const std::string_view name : names) {
    const std::string text(name);
    const std::int32_t id = btf__find_by_name_kind(types.get(), text.c_str(), BTF_KIND_ENUM);
    if (id < 0) return Error{ENOENT, "find enum", text, "in the kernel's type information"};
    out.push_back(enumerators(types.get(), btf__type_by_id(types.get(), static_cast<__u32>(id))));
  }
  return out;
}

}  // namespace holdfast::kernel
