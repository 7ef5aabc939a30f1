// SPDX-License-Identifier: Apache-2.0
// Which programs a policy needs on this kernel.
//
// Kernels differ in which function makes or frees a namespace; policies differ in whether anybody
// asks which namespace is entered or made. A program that is not needed costs every setns() of the
// machine something, so it is not loaded.
#ifndef HOLDFAST_BACKEND_LSM_SELECTION_H
#define HOLDFAST_BACKEND_LSM_SELECTION_H

#include <string>
#include <string_view>

#include "base/result.h"
#include "core/abi.h"
#include "kernel/bpf/btf.h"

namespace holdfast::backend::lsm {

// There when the kernel has tokens, and with them the hooks that see what is made (Linux 6.9).
inline constexpr std::string_view kTokenHook = "bpf_lsm_bpf_token_create";
inline constexpr char kNoTokens[] = "this kernel has no BPF tokens (Linux 6.9)";

// Reads a label of a socket (Linux 7.3).
inline constexpr std::string_view kLabelReader = "bpf_sock_read_xattr";

// Sends to a socket without making a message of it (until Linux 6.4).
inline constexpr std::string_view kPageSender = "kernel_sendpage";
// How the programs of usermode_helper.bpf.h begin, and the function that one of this section is
// attached to: a kernel that is built without it has nothing there to refuse.
inline constexpr std::string_view kHelperPrograms = "hf_helper_";
[[nodiscard]] std::string helper_function(std::string_view section);

// Whether a program of bpf/namespaces, known by its section ("fentry/utsns_install"), has a function
// to attach to on this kernel that no other program of the same purpose covers. True: the section
// is of another program.
[[nodiscard]] bool is_used_here(std::string_view section, const kernel::KernelTypes& types);
// Errors: ENOTSUP, the kernel has a type of namespace, but not the function that enters it or, with
// `tracking`, the one that makes it.
[[nodiscard]] Result<void> check_namespace_functions(const kernel::KernelTypes& types,
                                                     bool tracking);

// What the policy asks about.
struct Needs {
  // Copies of each capture: four when a decision depends on the target, since one alone can be
  // skipped; one when it is only reported.
  int capture_copies = 1;
  // Namespaces that are made later belong to a set.
  bool tracking = false;
  // Some rule is about sockets or their labels; about the labels of a unix socket's peer; about
  // sending; accepted sockets inherit labels; accepts are made by user space.
  bool sockets = false;
  bool peers = false;
  bool sends = false;
  bool inherit = false;
  bool errands = false;
};
[[nodiscard]] Needs needs_of(const hf_tables& tables);

class Selection {
 public:
  // Errors: ENOTSUP when the kernel has a type of namespace but not the function that enters or
  // makes it.
  static Result<Selection> choose(const Needs& needs);

  // The running kernel's. Borrowed from this.
  [[nodiscard]] const kernel::KernelTypes& types() const { return types_; }
  // Are there rules about sockets or labels to decide?
  [[nodiscard]] bool sockets() const { return needs_.sockets; }
  // Are labels read from the mirror? Not where the kernel has a function that reads a socket's own
  // labels (7.3), and these are all that anybody asks for.
  [[nodiscard]] bool mirrored() const;
  // Does this kernel keep labels of sockets by itself?
  [[nodiscard]] bool kernel_labels() const { return kernel_labels_; }
  // A program by its section ("fentry/utsns_install") and name; the last character of a copy's name
  // is its number, from 1 ("hf_utsns_install3").
  [[nodiscard]] bool wants(std::string_view section, std::string_view program) const;

 private:
  Selection(const Needs& needs, kernel::KernelTypes types, bool kernel_labels)
      : needs_(needs), kernel_labels_(kernel_labels), types_(std::move(types)) {}
  [[nodiscard]] bool wants_for_sockets(std::string_view section, std::string_view program) const;

  Needs needs_;
  bool kernel_labels_;
  kernel::KernelTypes types_;
};

}  // namespace holdfast::backend::lsm

#endif  // HOLDFAST_BACKEND_LSM_SELECTION_H
