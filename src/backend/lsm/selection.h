// SPDX-License-Identifier: Apache-2.0
// Which functions this kernel has for programs to attach to. Kernels differ in which function makes or
// frees a namespace.
#ifndef HOLDFAST_BACKEND_LSM_SELECTION_H
#define HOLDFAST_BACKEND_LSM_SELECTION_H

#include <string>
#include <string_view>

#include "base/result.h"
#include "kernel/bpf/btf.h"

namespace holdfast::backend::lsm {

// There when the kernel has tokens, and with them the hooks that see what is made (Linux 6.9).
inline constexpr std::string_view kTokenHook = "bpf_lsm_bpf_token_create";
inline constexpr char kNoTokens[] = "this kernel has no BPF tokens (Linux 6.9)";

// Sends to a socket without making a message of it (until Linux 6.4).
inline constexpr std::string_view kPageSender = "kernel_sendpage";
// How the programs of usermode_helper.bpf.h begin, and the function that one of this section is
// attached to: a kernel that is built without it has nothing there to refuse.
inline constexpr std::string_view kHelperPrograms = "helper_";
[[nodiscard]] std::string helper_function(std::string_view section);

// Whether the kernel has the hooks namespace_install, namespace_init and namespace_free (Linux 7.4). As
// first proposed, the second is called namespace_alloc.
// Then the programs on these hooks decide and record (bpf/namespaces/native.bpf.h).
[[nodiscard]] bool asks_natively(const kernel::KernelTypes& types);
// Whether a program of bpf/namespaces, known by its section ("fentry/utsns_install") and its name, has
// something to attach to on this kernel that no other program of the same purpose covers. True: the
// program is another one.
[[nodiscard]] bool is_used_here(std::string_view section, std::string_view program,
                                const kernel::KernelTypes& types);
// For programs that stand in for these hooks.
// Errors: ENOTSUP, the kernel has a type of namespace, but not the function that enters it or, with
// `tracking`, the one that makes it.
[[nodiscard]] Result<void> check_namespace_functions(const kernel::KernelTypes& types,
                                                     bool tracking);

}  // namespace holdfast::backend::lsm

#endif  // HOLDFAST_BACKEND_LSM_SELECTION_H
