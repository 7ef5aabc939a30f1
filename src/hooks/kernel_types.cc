// SPDX-License-Identifier: Apache-2.0
#include "hooks/kernel_types.h"

namespace holdfast::hooks {

std::uint32_t function_id(const btf* kernel, const std::string& name) {
  const int id = btf__find_by_name_kind(kernel, name.c_str(), BTF_KIND_FUNC);
  return id > 0 ? static_cast<std::uint32_t>(id) : 0;
}

const btf_type* prototype(const btf* kernel, std::uint32_t id) {
  return btf__type_by_id(kernel, btf__type_by_id(kernel, id)->type);
}

const btf_type* skip_modifiers(const btf* kernel, std::uint32_t id) {
  return btf__type_by_id(kernel, static_cast<__u32>(btf__resolve_type(kernel, id)));
}

std::optional<Member> find_member(const btf* kernel, const btf_type* type, std::string_view name) {
  if (type == nullptr || !btf_is_composite(type)) return std::nullopt;
  const btf_member* members = btf_members(type);
  for (int i = 0; i < btf_vlen(type); i++) {
    const int bytes = static_cast<int>(btf_member_bit_offset(type, static_cast<__u32>(i)) / 8);
    const std::string_view member = btf__name_by_offset(kernel, members[i].name_off);
    if (member == name) return Member{bytes, members[i].type};
    if (!member.empty()) continue;
    if (auto inner = find_member(kernel, skip_modifiers(kernel, members[i].type), name)) {
      inner->offset += bytes;
      return inner;
    }
  }
  return std::nullopt;
}

std::optional<Member> find_member(const btf* kernel, const char* type, std::string_view name) {
  const int id = btf__find_by_name_kind(kernel, type, BTF_KIND_STRUCT);
  return id > 0 ? find_member(kernel, btf__type_by_id(kernel, static_cast<__u32>(id)), name)
                : std::nullopt;
}

}  // namespace holdfast::hooks
