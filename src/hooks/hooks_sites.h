// SPDX-License-Identifier: Apache-2.0
// The proposed hooks, and the functions of an unmodified kernel that replace each of them.
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
#include "kernel/bpf/prototype.h"

namespace holdfast::hooks {

// kInit is the name that kAlloc got in Linux 7.4. Both are the same hook.
enum class Hook { kAlloc, kInit, kFree, kInstall, kCgroupAttach };
inline constexpr std::array kHooks = {Hook::kAlloc, Hook::kInit, Hook::kFree, Hook::kInstall,
                                      Hook::kCgroupAttach};

// "namespace_install"
std::string_view hook_name(Hook hook);

// The source of one argument of the hook at a site. `index` is the number of a function argument,
// from
// 0. At an fexit site, the index after the last argument is the function's result.
struct Argument {
  enum class From {
    kZero,     // 0, for the argument that holds the previous LSM program's result
    kContext,  // argument `index`
    kMember,   // argument `index`, a pointer, plus `offset` bytes
    kPointee,  // as kMember, for the pointer that is stored `via` bytes after argument `index`
    kTask,     // the task that is being moved, recorded earlier in the same system call
    kInum,     // a zeroed ns_common that holds only the number, argument `index`
  };
  From from = From::kZero;
  int index = 0;
  int offset = 0;
  int via = 0;
};

// A call of the site's function matters only if all conditions hold.
struct Condition {
  enum class Test { kAnyBit, kZero, kNoErrorPointer, kDiffers };
  Test test;
  int index;               // of the argument; kZero and kDiffers test its low 32 bits
  std::int32_t value = 0;  // kAnyBit: the bits; kDiffers: the value that it must differ from
};

// The key of a call's entry in the map of verdicts. A namespace_free may run in any task, also
// inside another call of that task, so its key is the object.
enum class CallKey { kTask, kObject };

struct Site {
  std::string function;
  // All arguments of the function, and its result where it is read. The indices below are theirs.
  std::vector<kernel::ArgumentType> parameters{};
  kernel::ArgumentType result{};
  std::uint32_t function_id = 0;  // in the kernel's BTF
  bpf_attach_type attach = BPF_TRACE_FENTRY;
  std::vector<Argument> arguments{};
  std::vector<Condition> conditions{};
  int object = -1;  // index of the argument that distinguishes successive calls of a task; -1: none
  CallKey key = CallKey::kTask;
  int copies = HF_COPIES;     // 1 if a lock prevents concurrent calls
  std::uint32_t ns_type = 0;  // CLONE_NEW…; 0: the function is for several types
  std::uint32_t checks = 0;   // maximum number of enforcer checks in one call; 0: no enforcer
  int ns_common_bytes = 0;    // for kInum, multiple of 8
  int inum_offset = 0;
};

// Before Linux 6.2, a look-up in task storage finds nothing while another task on the same CPU is
// preempted inside such a look-up. This struct has the facts by which a program detects that.
struct StorageDefect {
  std::uint32_t busy_id = 0;  // BTF id of the kernel's counter of such tasks; 0: no defect
  int switches_offset = 0;    // of task_struct.nivcsw, which counts how often a task was preempted
};

// Offsets in bytes, for a walk from a cgroup to its parents.
struct CgroupLayout {
  int node = 0;    // of cgroup.kn
  int id = 0;      // of kernfs_node.id
  int parent = 0;  // of cgroup.self.parent
  int cgroup = 0;  // of cgroup_subsys_state.cgroup
};

// The support of this kernel for a hook.
struct Offer {
  enum class State { kNative, kBridged, kUnavailable };
  State state = State::kUnavailable;
  std::uint32_t native_id = 0;  // kNative: the BTF id of the function that programs attach to
  std::string how;  // "fentry of the eight *ns_install functions, …", or the reason if unavailable
  std::vector<Site> sites{};
  bool has_ns_type = false;  // struct ns_common has the field ns_type
  // kBridged: the BTF id of a function to which a program can belong, and not be attached by itself.
  std::uint32_t stand_in_id = 0;
  int ns_common_bytes = 0;  // of struct ns_common, rounded up to a multiple of 8
  int ns_type_offset = 0;   // of ns_type in it; without has_ns_type: ns_common_bytes
  StorageDefect storage{};
  CgroupLayout cgroups{};  // kNative, of cgroup_attach
};

// `kernel`: the running kernel's BTF, borrowed. The hook is native if the BTF has bpf_lsm_<hook>,
// under this name or the other name of the same hook. It is unavailable if that function, or one
// that replaces it, has other arguments than programs read. Does not fail.
Offer find_offer(const btf* kernel, Hook hook);

}  // namespace holdfast::hooks

#endif  // HOLDFAST_HOOKS_HOOKS_SITES_H
