// SPDX-License-Identifier: Apache-2.0
// Turns the instructions of an LSM program into those of a program for another function of the kernel.
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

// What happens when a program that cannot refuse at its site says no.
enum class Refusal { kEnforcer, kKill, kIgnore };

// Whether the program is handed the function's own context, which some helpers insist on, or a copy of
// the hook's arguments.
enum class Context { kArguments, kOriginal };

struct Wrapping {
  const Site* site = nullptr;
  int verdicts_fd = -1;  // borrowed: hash of u64 -> hf_hook_verdict
  int scope_fd = -1;     // borrowed: cgroup array; -1 when every task is bridged
  int tasks_fd = -1;     // borrowed: hash of u64 -> kptr, for Argument::From::kTask
  int copy = 0;          // 0..3
  Refusal refusal = Refusal::kEnforcer;
  Context context = Context::kArguments;
};

// The code that goes in front of a program: instruction 0 is entered by the kernel, the program begins
// right behind it and is called as a subprogram.
Instructions wrapper(const Wrapping& wrapping);

// A program that forgets the current task's verdict.
Instructions forget_verdict(int verdicts_fd);

// Refuses what cannot work outside the native hook, by name. before: the program's own instructions
// before relocation, empty when unknown.
Result<Context> check_instructions(std::span<const bpf_insn> insns, const Offer& offer, Hook hook);

}  // namespace holdfast::hooks

#endif  // HOLDFAST_HOOKS_REWRITE_H
