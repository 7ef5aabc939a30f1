// SPDX-License-Identifier: Apache-2.0
// Checks that the running kernel passes the arguments that BPF programs read.
//
// LSM, fentry, fexit and tp_btf programs read arguments by position, and the kernel does not object
// when another argument is there. Every such program of holdfast states the prototype that it was
// written for in its own type information (bpf/lib/prototype.bpf.h). A program may have variants,
// NAME__something, for kernels that pass other arguments.
#ifndef HOLDFAST_KERNEL_BPF_PROTOTYPE_H
#define HOLDFAST_KERNEL_BPF_PROTOTYPE_H

#include <bpf/btf.h>
#include <bpf/libbpf.h>

#include <span>
#include <string>
#include <string_view>

#include "base/result.h"

namespace holdfast::kernel {

// The name under which a program of an object is used: "cgroup_enforce" for
// "cgroup_enforce__after".
[[nodiscard]] std::string_view name_without_variant(std::string_view program);
// Whether `kept` can be what the kernel keeps of the name of `program` or of one of its variants.
// The kernel keeps 15 bytes.
[[nodiscard]] bool is_kept_name(std::string_view kept, std::string_view program);

// Among each program that would be loaded and its variants, chooses the one that fits the kernel.
// Only this one is loaded then, and attached if the program would have been. Call before the object
// is loaded. `kernel` is the type information of the running kernel, borrowed. One thread per
// object.
// Errors: ENOTSUP, the kernel lacks the function, or no variant fits: the error names the function,
// what is expected and what is there. EINVAL, a program does not state what it reads.
[[nodiscard]] Result<void> fit_programs(bpf_object* object, const btf* kernel);
// Whether fit_programs() would need the kernel's types: a program that would be loaded reads
// arguments of kernel functions.
[[nodiscard]] bool reads_arguments(const bpf_object* object);

// An argument as code states it that makes programs at run time: a pointer to the struct `record`, or
// an integer of `bytes` bytes, or nothing.
struct ArgumentType {
  const char* record = nullptr;
  __u32 bytes = 0;
};
constexpr ArgumentType pointer_to(const char* record) { return {record, 0}; }
constexpr ArgumentType integer_of(__u32 bytes) { return {nullptr, bytes}; }

// Whether the function has exactly these arguments, and this result if one is stated. `kernel` is
// borrowed. Any thread.
// Errors: ENOTSUP, the kernel lacks the function, or it has others: the error names the function,
// what is expected and what is there.
[[nodiscard]] Result<void> check_prototype(const btf* kernel, const std::string& function,
                                           std::span<const ArgumentType> arguments,
                                           ArgumentType result = {});

// Whether two types are the same to a program that reads an argument: pointers to structs of one
// name (a suffix ___x does not count), or integers of one size. Qualifiers and typedefs do not
// count. Each type belongs to the type information before it. Any thread.
[[nodiscard]] bool is_same_argument(const btf* a, __u32 type_a, const btf* b, __u32 type_b);
// A prototype as text: "(struct inode *, int)". `type_id`: of a BTF_KIND_FUNC_PROTO.
[[nodiscard]] std::string prototype_text(const btf* types, __u32 type_id);

}  // namespace holdfast::kernel

#endif  // HOLDFAST_KERNEL_BPF_PROTOTYPE_H
