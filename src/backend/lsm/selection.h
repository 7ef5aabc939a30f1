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
#include "kernel/btf.h"

namespace holdfast::backend::lsm {

// There when the kernel has tokens, and with them the hooks that see what is made (Linux 6.9).
inline constexpr std::string_view kTokenHook = "bpf_lsm_bpf_token_create";

// Reads a label of a socket (Linux 7.3).
inline constexpr std::string_view kLabelReader = "bpf_sock_read_xattr";

// What the policy asks about.
struct Needs {
  // Copies of each capture: four when a decision depends on the target, since one alone can be
  // skipped; one when it is only reported.
  int capture_copies = 1;
  // Namespaces that are made later belong to a set.
  bool tracking = false;
  // Some rule is about sockets or their labels.
  bool sockets = false;
  // Some profile delegates BPF privileges.
  bool bpf = false;
};
[[nodiscard]] Needs needs_of(const hf_tables& tables);

class Selection {
 public:
  // Errors: ENOTSUP when the kernel has a type of namespace but not the function that enters or
  // makes it.
  static Result<Selection> choose(const Needs& needs);

  // Can socket rules be decided: is there a kernel function that reads a socket's labels (7.3), and
  // does the policy have any?
  [[nodiscard]] bool sockets() const;
  // Is the use of BPF privileges decided?
  [[nodiscard]] bool bpf() const { return needs_.bpf; }
  // A program by its section ("fentry/utsns_install") and name; the last character of a copy's name
  // is its number, from 1 ("hf_utsns_install3").
  [[nodiscard]] bool wants(std::string_view section, std::string_view program) const;

 private:
  Selection(const Needs& needs, kernel::KernelTypes types)
      : needs_(needs), types_(std::move(types)) {}

  Needs needs_;
  kernel::KernelTypes types_;
};

}  // namespace holdfast::backend::lsm

#endif  // HOLDFAST_BACKEND_LSM_SELECTION_H
