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

namespace holdfast::hooks {

enum class Hook { kAlloc, kFree, kInstall, kCgroupAttach };
inline constexpr std::array kHooks = {Hook::kAlloc, Hook::kFree, Hook::kInstall, Hook::kCgroupAttach};

// "namespace_install"
std::string_view hook_name(Hook hook);

// Where one argument of the hook comes from at a site.
struct Argument {
  enum class From {
    kContext,  // argument number `index` of the function
    kZero,     // what an LSM program finds as the result of the program before it
    kMember,   // `offset` bytes into what argument number `index` points at
    kPointee,  // the same, after following the pointer at `via` bytes
    kTask,     // the task that is being moved, recorded earlier in the same system call
    kInum,     // a namespace of which only the number is left, argument number `index`
  };
  From from = From::kZero;
  int index = 0;
  int offset = 0;
  int via = 0;
};

// One function of the kernel that stands in for the hook.
struct Site {
  std::string function;
  std::uint32_t function_id = 0;  // in the kernel's BTF
  bpf_attach_type attach = BPF_TRACE_FENTRY;
  std::vector<Argument> arguments;
  int object = -1;  // index of the function's argument that tells one call of a task from the next
  // fexit of a function that returns an old namespace unless `flags` (argument number flags_index)
  // has the type's bit.
  int flags_index = -1;
  int returned = -1;           // index of the function's result in the context, when it can be an error
  bool returns_pointer = false;
  std::uint32_t ns_type = 0;   // CLONE_NEW…, 0: any
  std::uint32_t questions = 0; // how often the enforcer is asked within one call
  int ns_common_bytes = 0;     // for Argument::From::kInum
  int inum_offset = 0;
};

// What this kernel offers for a hook.
struct Offer {
  enum class State { kNative, kBridged, kUnavailable };
  State state = State::kUnavailable;
  std::string how;  // "fentry of *ns_install, enforced by lsm/capable", or why not
  std::vector<Site> sites;
};

// kernel: the running kernel's BTF. Native when it has bpf_lsm_<hook>.
Offer find_offer(const btf* kernel, Hook hook);

}  // namespace holdfast::hooks

#endif  // HOLDFAST_HOOKS_HOOKS_SITES_H
