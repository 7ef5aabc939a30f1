// SPDX-License-Identifier: Apache-2.0
// Turns the instructions of an LSM program into those of a program for another function of the
// kernel.
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

// What happens when a program returns something other than 0.
enum class Refusal {
  kEnforced,    // another program refuses the operation
  kNeverAsked,  // the verifier has to see that it always returns 0
  kKilled,      // the task is killed before it returns to user space
  kIgnored,
};

// Whether the program is handed the function's own context, which some helpers insist on, or a copy
// of the hook's arguments.
enum class Context { kArguments, kOriginal };

struct Wrapping {
  const Site* site = nullptr;
  int verdicts_fd = -1;  // borrowed: hash of u64 -> hf_hook_verdict
  int scope_fd = -1;     // borrowed: cgroup array; -1 when every task is bridged
  int tasks_fd = -1;     // borrowed: hash of u64 -> kptr, for Argument::From::kTask
  int copy = 0;          // 0..3
  Refusal refusal = Refusal::kEnforced;
  Context context = Context::kArguments;
  StorageDefect storage{};  // busy_id: 0 unless it can lead the program to a wrong verdict
};

// The code that goes in front of a program: instruction 0 is entered by the kernel, the program
// begins right behind it and is called as a subprogram.
Instructions wrapper(const Wrapping& wrapping);

// A program that forgets the current task's verdict.
Instructions forget_verdict(int verdicts_fd);

// Refuses what cannot work outside the native hook, by name.
Result<Context> check_instructions(std::span<const bpf_insn> insns, const Offer& offer, Hook hook);

// Does it look things up in task storage?
bool uses_task_storage(std::span<const bpf_insn> insns);

// Puts the type that the site implies where the program reads ns_common.ns_type and the kernel has
// no such field. body: relocated; original: the same program before that, without what was
// appended; ns_type_offset: of the field, in the program's own types, -1 when it has none.
void repair_ns_type(Instructions& body, std::span<const bpf_insn> original, const Site& site,
                    int ns_type_offset);

}  // namespace holdfast::hooks

#endif  // HOLDFAST_HOOKS_REWRITE_H
