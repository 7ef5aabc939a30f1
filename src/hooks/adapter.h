// SPDX-License-Identifier: Apache-2.0
// Bridges one program of another project's object, from the time when libbpf opens the object until
// the link is destroyed.
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
#include "hooks/asking.h"
#include "hooks/btf_patch.h"
#include "hooks/hooks_enforcer.h"
#include "hooks/hooks_link.h"
#include "hooks/hooks_sites.h"
#include "hooks/rewrite.h"

namespace holdfast::hooks {

// What becomes of a namespace_alloc program that may return something other than 0.
enum class AllocRefusal {
  kAsk,         // it runs before the namespace is made, and its refusal counts
  kAskAndTell,  // the same, and it runs again when the namespace is made
  kKill,        // it runs when the namespace is made, and a task that it refuses is killed
  kIgnore,      // the same, and its refusal is ignored
};

// The choices of the program that enables the hooks. They are read when a BPF program is loaded.
struct Choices {
  int scope_cgroup_fd = -1;  // borrowed; only tasks of this subtree are bridged
  AllocRefusal alloc_refusal = AllocRefusal::kAsk;
};

// One thread, as libbpf itself.
class Adapter {
 public:
  // `insns`: the program before relocation, as in the object file. `offer` must outlive this
  // object.
  Adapter(Hook hook, const Offer& offer, std::string name, Instructions insns);

  // Called by libbpf before it loads the program. Loads all copies. Replaces the instructions and
  // options of `program`, so that libbpf loads a stand-in, or a copy that does not verify. `options`
  // then refers to memory of this object. Errors: EOPNOTSUPP, the program cannot be bridged; of bpf(2).
  Result<void> prepare(bpf_program* program, bpf_prog_load_opts& options, const Choices& choices);

  // Attaches all copies and the enforcer, after libbpf has loaded the program. The caller owns the
  // link. Errors: EINVAL, not loaded, or not GPL compatible; ENOTSUP, as make_link(); of bpf(2).
  Result<bpf_link*> attach(const bpf_program* program);

 private:
  struct Copy {
    Fd program;
    bpf_attach_type attach;
  };
  // A copy that does not verify.
  struct Failed {
    const Site* site;
    int copy;
  };

  Result<void> make_maps();
  Result<void> make_scope(int cgroup_fd);
  Result<void> make_enforcer();
  Result<std::optional<Failed>> load_all(const bpf_prog_load_opts& options, const Choices& choices);
  Result<std::optional<Failed>> load_alloc(const bpf_prog_load_opts& options,
                                           const Choices& choices);
  Result<void> load_asking(const bpf_prog_load_opts& options);
  Result<std::optional<Failed>> load_copies(const bpf_prog_load_opts& options);
  Result<void> load_copy(const Site& site, int copy, const bpf_prog_load_opts& options);
  Result<void> load_verdict_cleaner(const Site& site);
  Result<void> hand_over(const Instructions& insns, std::uint32_t function_id,
                         bpf_attach_type attach, bpf_program* program, bpf_prog_load_opts& options);
  Result<void> hand_over_failed(const Failed& failed, bpf_program* program,
                                bpf_prog_load_opts& options);
  Result<void> hand_over_stand_in(bpf_program* program, bpf_prog_load_opts& options);
  [[nodiscard]] Wrapping wrapping(const Site& site, int copy) const;
  [[nodiscard]] Instructions whole(const Site& site, int copy) const;
  // Whether the program verifies at the first site.
  [[nodiscard]] bool verifies(const bpf_prog_load_opts& options);

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
  std::optional<Asking> asking_;
  bool complete_ = false;  // all of it is loaded, and can be attached
  // libbpf reads these when it loads the program, after prepare() has returned.
  std::vector<bpf_func_info> functions_;
  std::vector<bpf_line_info> lines_;
};

}  // namespace holdfast::hooks

#endif  // HOLDFAST_HOOKS_ADAPTER_H
