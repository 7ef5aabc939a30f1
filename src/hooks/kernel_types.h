// SPDX-License-Identifier: Apache-2.0
// Looks things up in a kernel's type information, which is borrowed. Pure.
#ifndef HOLDFAST_HOOKS_KERNEL_TYPES_H
#define HOLDFAST_HOOKS_KERNEL_TYPES_H

#include <bpf/btf.h>

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace holdfast::hooks {

// The BTF id of a function; 0: the kernel lacks it.
std::uint32_t function_id(const btf* kernel, const std::string& name);

// The prototype of the function with this id.
const btf_type* prototype(const btf* kernel, std::uint32_t id);

// Without const, volatile and typedefs.
const btf_type* skip_modifiers(const btf* kernel, std::uint32_t id);

struct Member {
  int offset = 0;  // in bytes
  std::uint32_t type_id = 0;
};

// nullopt: there is no such member. Searches unnamed members too.
std::optional<Member> find_member(const btf* kernel, const btf_type* type, std::string_view name);
std::optional<Member> find_member(const btf* kernel, const char* type, std::string_view name);

}  // namespace holdfast::hooks

#endif  // HOLDFAST_HOOKS_KERNEL_TYPES_H
