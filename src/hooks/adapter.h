// SPDX-License-Identifier: Apache-2.0
// One program of a third party's object, bridged: from the moment libbpf opens the object until its
// link is destroyed.
#ifndef HOLDFAST_HOOKS_ADAPTER_H
#define HOLDFAST_HOOKS_ADAPTER_H

#include <bpf/bpf.h>
#include <bpf/libbpf.h>

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/fd.h"
#include "base/result.h"
#include "hooks/btf_patch.h"
#include "hooks/hooks_enforcer.h"
#include "hooks/hooks_link.h"
#include "hooks/hooks_sites.h"
#include "hooks/rewrite.h"

namespace holdfast::hooks {

// What whoever enables the hooks can choose. Read when a program is loaded.
struct Choices {
  int scope_cgroup_fd = -1;  // borrowed; only tasks of this subtree are bridged
  Refusal alloc_refusal = Refusal::kNeverAsked;
};

class Adapter {
 public:
  // insns: the program as the object file has it, before relocation.
  Adapter(Hook hook, const Offer& offer, std::string name, Instructions insns);

  // Loads every copy but one, whose instructions and options libbpf gets to load itself.
  Result<void> prepare(bpf_program* program, bpf_prog_load_opts& options, const Choices& choices);

  // The program has been loaded by libbpf.
  Result<bpf_link*> attach(const bpf_program* program);

 private:
  struct Copy {
    Fd program;
    bpf_attach_type attach;
  };

  Result<void> make_maps();
  Result<void> make_scope(int cgroup_fd);
  Result<void> make_enforcer();
  Result<void> load_copies(const bpf_prog_load_opts& options);
  Result<void> load_copy(const Site& site, int copy, const bpf_prog_load_opts& options);
  Result<void> load_forgetter(const Site& site);
  Result<void> hand_first_copy_to_libbpf(bpf_program* program, bpf_prog_load_opts& options);
  [[nodiscard]] Wrapping wrapping(const Site& site, int copy) const;
  [[nodiscard]] Instructions whole(const Site& site, int copy) const;
  [[nodiscard]] bool refuses_in_vain(const bpf_prog_load_opts& options);

  Hook hook_;
  const Offer& offer_;
  std::string name_;
  Instructions unrelocated_;
  Instructions body_;
  Context context_ = Context::kArguments;
  Refusal refusal_ = Refusal::kEnforced;
  StorageDefect storage_{};
  Fd verdicts_;
  Fd scope_;
  Fd tasks_;
  std::uint64_t scope_id_ = 0;
  DebugInfo debug_;
  std::vector<Copy> copies_;
  std::optional<Enforcer> enforcer_;
  // What libbpf's own load reads after prepare() has returned.
  std::vector<bpf_func_info> functions_;
  std::vector<bpf_line_info> lines_;
};

}  // namespace holdfast::hooks

#endif  // HOLDFAST_HOOKS_ADAPTER_H
