// SPDX-License-Identifier: Apache-2.0
// The proposed hooks, and the functions of a stock kernel that stand in for each.
#ifndef HOLDFAST_HOOKS_HOOKS_SITES_H
#define HOLDFAST_HOOKS_HOOKS_SITES_H

#include <bpf/btf.h>
#include <linux/bpf.h>

#include <array>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "bpf/lib/decision_points.h"

namespace holdfast::hooks {

enum class Hook { kAlloc, kFree, kInstall, kCgroupAttach };
inline constexpr std::array kHooks = {Hook::kAlloc, Hook::kFree, Hook::kInstall,
                                      Hook::kCgroupAttach};

// "namespace_install"
std::string_view hook_name(Hook hook);

// Where one argument of the hook comes from at a site. `index` counts the function's arguments; its
// result, at a fexit site, comes behind the last.
struct Argument {
  enum class From {
    kZero,     // what an LSM program finds as the result of the program before it
    kContext,  // argument `index`
    kMember,   // the address `offset` bytes into what argument `index` points at
    kPointee,  // the same, after following the pointer `via` bytes into that
    kTask,     // the task that is being moved, recorded earlier in the same system call
    kInum,     // a zeroed ns_common that holds only the number, argument `index`
  };
  From from = From::kZero;
  int index = 0;
  int offset = 0;
  int via = 0;
};

// The site is of interest only when all of its conditions hold.
struct Condition {
  enum class Test { kAnyBit, kZero, kNoErrorPointer, kDiffers };
  Test test;
  int index;               // of the argument, of which kZero and kDiffers look at 32 bits
  std::int32_t value = 0;  // the bits; what it must differ from
};

// What the entry of a call is found by. A free may run in any task, and interrupt one.
enum class CallKey { kTask, kObject };

struct Site {
  std::string function;
  std::uint32_t function_id = 0;  // in the kernel's BTF
  bpf_attach_type attach = BPF_TRACE_FENTRY;
  std::vector<Argument> arguments{};
  std::vector<Condition> conditions{};
  int object = -1;  // index of the argument that tells one call of a task from the next
  CallKey key = CallKey::kTask;
  int copies = HF_COPIES;       // 1 where a lock keeps two calls from meeting
  std::uint32_t ns_type = 0;    // CLONE_NEW…; 0: not known from the function
  std::uint32_t questions = 0;  // how often the enforcer is asked within one call; 0: it has none
  int ns_common_bytes = 0;      // for kInum, multiple of 8
  int inum_offset = 0;
};

// On kernels before 6.2 a look-up in task storage finds nothing while another task is preempted
// inside one on the same processor. How a program can tell that this happened.
struct StorageDefect {
  std::uint32_t busy_id = 0;  // in the kernel's BTF: the counter of such tasks; 0: no defect
  int switches_offset = 0;    // of task_struct.nivcsw, which counts how often a task was preempted
};

// What this kernel offers for a hook.
struct Offer {
  enum class State { kNative, kBridged, kUnavailable };
  State state = State::kUnavailable;
  std::string how;  // "fentry of the eight *ns_install functions, …", or why not
  std::vector<Site> sites{};
  bool has_ns_type = false;  // ns_common says its type
  StorageDefect storage{};
};

// kernel: the running kernel's BTF. Native when it has bpf_lsm_<hook>.
Offer find_offer(const btf* kernel, Hook hook);

}  // namespace holdfast::hooks

#endif  // HOLDFAST_HOOKS_HOOKS_SITES_H
