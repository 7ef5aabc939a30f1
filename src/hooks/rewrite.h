// SPDX-License-Identifier: Apache-2.0
// Converts an LSM program into a tracing program for another function of the kernel. All functions
// here are pure.
#ifndef HOLDFAST_HOOKS_REWRITE_H
#define HOLDFAST_HOOKS_REWRITE_H

#include <linux/bpf.h>

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "base/result.h"
#include "hooks/hooks_sites.h"

namespace holdfast::hooks {

using Instructions = std::vector<bpf_insn>;

// The effect of a return value other than 0.
enum class Refusal {
  kEnforced,  // another program refuses the operation
  kNone,      // there is no such value: the verifier must prove that the program always returns 0
  kKilled,    // the task is killed before it returns to user space
  kIgnored,
};

// The context of the program: a copy of the hook's arguments, or the context of the traced
// function, which some helpers require.
enum class Context { kArguments, kOriginal };

struct Wrapping {
  const Site* site = nullptr;
  int verdicts_fd = -1;  // borrowed: hash of u64 -> hf_hook_verdict
  int scope_fd = -1;     // borrowed: cgroup array; -1: all tasks are in scope
  int tasks_fd = -1;     // borrowed: hash of u64 -> kptr, for Argument::From::kTask
  int copy = 0;          // 0..3
  Refusal refusal = Refusal::kEnforced;
  Context context = Context::kArguments;
  StorageDefect storage{};  // busy_id 0: the defect cannot change the verdict
};

// The code before a program. The kernel enters at instruction 0. The program follows directly after
// this code, which calls it as a subprogram.
Instructions wrapper(const Wrapping& wrapping);

// The code before a program of type LSM that returns 0 for tasks outside the subtree of the cgroup
// with this id. The program follows directly after it, and may sleep. A task whose cgroup is deeper
// than 64 levels counts as inside.
Instructions limit_to_cgroup(std::uint64_t cgroup_id);

// A program that does nothing.
Instructions stand_in();

// The same, but it goes by the cgroup that is argument `index` of the hook, not by the current
// task's.
Instructions limit_to_cgroup_argument(std::uint64_t cgroup_id, int index,
                                      const CgroupLayout& layout);

// A program that deletes the current task's verdict.
Instructions verdict_cleaner(int verdicts_fd);

// The context that the program needs. Errors: EOPNOTSUPP, the hook is not bridged, or the program
// calls a helper that works only in the native hook; the error names it.
Result<Context> check_instructions(std::span<const bpf_insn> insns, const Offer& offer, Hook hook);

// Whether the program looks up task storage.
bool uses_task_storage(std::span<const bpf_insn> insns);

// For kernels without ns_common.ns_type. Replaces each read of this field in `body`: by the type that
// the site implies, or, with repair_ns_type_by_offset(), by a read at `to_offset`. `body` is the
// relocated program. `original` is the same program before relocation, without appended subprograms.
// `ns_type_offset` is the offset in bytes of the field in the program's own types; -1: the program
// does not have it.
void repair_ns_type(Instructions& body, std::span<const bpf_insn> original, const Site& site,
                    int ns_type_offset);
void repair_ns_type_by_offset(Instructions& body, std::span<const bpf_insn> original, int to_offset,
                              int ns_type_offset);

}  // namespace holdfast::hooks

#endif  // HOLDFAST_HOOKS_REWRITE_H
