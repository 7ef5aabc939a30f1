// SPDX-License-Identifier: Apache-2.0
// Objects of other projects that import the kernel function bpf_sock_read_xattr(), on kernels
// without it. A BPF function with the same arguments and answers is linked to such an object before
// libbpf opens it.
#ifndef HOLDFAST_HOOKS_LABEL_READER_H
#define HOLDFAST_HOOKS_LABEL_READER_H

#include <bpf/btf.h>

#include <cstddef>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace holdfast::hooks {

inline constexpr std::string_view kLabelReader = "bpf_sock_read_xattr";

// Where BPF programs can read the labels of a socket.
struct LabelOffer {
  enum class Source {
    kKernel,  // the kernel has the function
    kList,    // the kernel's list of a socket's attributes (bpf/bridge/label_walk.bpf.h)
    kNone,
  };
  Source source = Source::kNone;
  std::string how{};  // what is read; kNone: the reason
};

// `kernel`: the running kernel's BTF, borrowed. Does not fail.
LabelOffer find_label_offer(const btf* kernel);

// Errors: of open(2), read(2).
Result<std::vector<std::byte>> read_object_file(const char* path);

// Whether the object declares the function without defining it. `elf` is an object file, which may
// be damaged. Pure.
bool imports_label_reader(std::span<const std::byte> elf);

// The object with the function linked to it. Errors: EINVAL, it is not an object file; of libbpf's
// linker, memfd_create(2).
Result<std::vector<std::byte>> link_label_reader(std::span<const std::byte> elf,
                                                 std::span<const std::byte> reader);

}  // namespace holdfast::hooks

#endif  // HOLDFAST_HOOKS_LABEL_READER_H
