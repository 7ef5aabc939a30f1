// SPDX-License-Identifier: Apache-2.0
// A program for a hook that the kernel lacks becomes a subprogram of a program for a function that
// the kernel has. A wrapper is placed before its instructions, which do not change. The wrapper
// does:
//
//   1. Exit if another copy of this program has already run for this call. (Four copies are
//      attached, because the kernel skips a copy in which a task is preempted.)
//   2. Store the hook's arguments on the stack, in the order of the hook.
//   3. Call the program with the address of these arguments as its context.
//   4. Record the return value for the enforcer.
//   5. Return 0.
//
// The verifier keeps the types of pointers that are spilled to the stack. It also keeps them when a
// subprogram reads them through a pointer to that stack. So the program finds the same typed
// arguments at the same offsets of its context. No instruction inside the program needs a patch: no
// jumps, no exits, no line numbers.
#include "hooks/rewrite.h"

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <cstddef>
#include <utility>

#include "bpf/bridge/hooks_verdict.h"
#include "hooks/rewrite_insn.h"

namespace holdfast::hooks {
namespace {

constexpr int kSlotBytes = 8;
constexpr int kKey = -kSlotBytes;  // stack offset of the key: the address of the task or object
constexpr int kVerdictBytes = sizeof(hf_hook_verdict);

// Collects instructions, and resolves jumps to later instructions and to the common exit.
class Code {
 public:
  void add(bpf_insn insn) { insns_.push_back(insn); }

  void add_map(int dst, int map_fd) {
    add(insn(kLoad64, dst, BPF_PSEUDO_MAP_FD, 0, map_fd));
    add(insn(0, 0, 0, 0, 0));
  }

  void add_number(int dst, std::uint64_t number) {
    add(insn(kLoad64, dst, 0, 0, static_cast<__s32>(number)));
    add(insn(0, 0, 0, 0, static_cast<__s32>(number >> 32)));
  }

  void add_kernel_variable(int dst, std::uint32_t id) {
    add(insn(kLoad64, dst, BPF_PSEUDO_BTF_ID, 0, static_cast<__s32>(id)));
    add(insn(0, 0, 0, 0, 0));
  }

  // Adds a jump. A later bind_here() sets its target to the instruction that is added next.
  [[nodiscard]] std::size_t jump_from(bpf_insn jump) {
    add(jump);
    return insns_.size() - 1;
  }
  void bind_here(std::size_t from) {
    insns_[from].off = static_cast<__s16>(insns_.size() - from - 1);
  }

  [[nodiscard]] std::size_t next() const { return insns_.size(); }
  void jump_back(bpf_insn jump, std::size_t to) {
    jump.off = static_cast<__s16>(static_cast<std::ptrdiff_t>(to) -
                                  static_cast<std::ptrdiff_t>(insns_.size()) - 1);
    add(jump);
  }

  void exit_by(bpf_insn jump) { exit_jumps_.push_back(jump_from(jump)); }
  void bind_exit_jumps() {
    for (std::size_t from : exit_jumps_) bind_here(from);
  }

  // Adds a call of the program that starts after the last instruction.
  void call_program_after() { call_ = jump_from(call_program()); }

  Instructions finish() && {
    if (call_ != 0) insns_[call_].imm = static_cast<__s32>(insns_.size() - call_ - 1);
    return std::move(insns_);
  }

 private:
  Instructions insns_;
  std::vector<std::size_t> exit_jumps_;
  std::size_t call_ = 0;
};

void store_key(Code& code, CallKey key) {
  if (key == CallKey::kTask) {
    code.add(call_helper(BPF_FUNC_get_current_task));
    code.add(store(BPF_DW, BPF_REG_10, kKey, BPF_REG_0));
  } else {
    code.add(store(BPF_DW, BPF_REG_10, kKey, BPF_REG_7));
  }
}

void exit_unless(Code& code, const Condition& condition) {
  code.add(load(BPF_DW, BPF_REG_1, BPF_REG_6, condition.index * kSlotBytes));
  switch (condition.test) {
    case Condition::Test::kAnyBit:
      code.add(and_imm(BPF_REG_1, condition.value));
      code.exit_by(jump_imm(BPF_JEQ, BPF_REG_1, 0));
      return;
    case Condition::Test::kZero:
      code.exit_by(jump32_imm(BPF_JNE, BPF_REG_1, 0));
      return;
    case Condition::Test::kDiffers:
      code.exit_by(jump32_imm(BPF_JEQ, BPF_REG_1, condition.value));
      return;
    case Condition::Test::kNoErrorPointer:
      code.exit_by(jump_imm(BPF_JGE, BPF_REG_1, -HF_MAX_ERRNO));
      return;
  }
}

void call_with_key(Code& code, int map_fd, bpf_func_id helper) {
  code.add_map(BPF_REG_1, map_fd);
  code.add(move(BPF_REG_2, BPF_REG_10));
  code.add(add_imm(BPF_REG_2, kKey));
  code.add(call_helper(helper));
}

// Exits for tasks outside the cgroup. If the test fails, the task counts as inside.
void exit_out_of_scope(Code& code, int scope_fd) {
  code.add_map(BPF_REG_1, scope_fd);
  code.add(move_imm(BPF_REG_2, 0));
  code.add(call_helper(BPF_FUNC_current_task_under_cgroup));
  code.exit_by(jump_imm(BPF_JEQ, BPF_REG_0, 0));
}

// r7 = the object of the call: an address or number that distinguishes it from other calls of the
// task.
void load_object(Code& code, const Site& site) {
  if (site.object >= 0) {
    code.add(load(BPF_DW, BPF_REG_7, BPF_REG_6, site.object * kSlotBytes));
  } else {
    code.add(move_imm(BPF_REG_7, 0));
  }
}

// Exits if the entry is for this call: it has the same object, and this copy has not yet used it.
// If this copy has used it, the entry is for an earlier call whose end was not observed.
void exit_if_answered(Code& code, const Wrapping& w) {
  constexpr int kSeen = offsetof(hf_hook_verdict, seen);
  const int bit = 1 << w.copy;
  call_with_key(code, w.verdicts_fd, BPF_FUNC_map_lookup_elem);
  const std::size_t none = code.jump_from(jump_imm(BPF_JEQ, BPF_REG_0, 0));
  code.add(load(BPF_DW, BPF_REG_1, BPF_REG_0, offsetof(hf_hook_verdict, object)));
  const std::size_t other = code.jump_from(jump_reg(BPF_JNE, BPF_REG_1, BPF_REG_7));
  code.add(load(BPF_W, BPF_REG_1, BPF_REG_0, kSeen));
  code.add(move(BPF_REG_2, BPF_REG_1));
  code.add(and_imm(BPF_REG_2, bit));
  const std::size_t old = code.jump_from(jump_imm(BPF_JNE, BPF_REG_2, 0));
  code.add(or_imm(BPF_REG_1, bit));
  code.add(store(BPF_W, BPF_REG_0, kSeen, BPF_REG_1));
  code.exit_by(jump());
  code.bind_here(other);
  code.bind_here(old);
  call_with_key(code, w.verdicts_fd, BPF_FUNC_map_delete_elem);
  code.bind_here(none);
}

// The space below the key holds the arguments, and after the program's return the verdict.
int arguments_bottom(const Site& site) {
  const int arguments_bytes = static_cast<int>(site.arguments.size()) * kSlotBytes;
  return kKey - std::max(arguments_bytes, kVerdictBytes);
}

// Exits for a task outside the scope. Jumps to `unknown` if the task is not recorded.
void store_task(Code& code, int tasks_fd, int at, std::vector<std::size_t>& unknown) {
  call_with_key(code, tasks_fd, BPF_FUNC_map_lookup_elem);
  unknown.push_back(code.jump_from(jump_imm(BPF_JEQ, BPF_REG_0, 0)));
  code.add(load(BPF_DW, BPF_REG_1, BPF_REG_0, offsetof(hf_moved_task, outside)));
  code.exit_by(jump_imm(BPF_JNE, BPF_REG_1, 0));
  code.add(load(BPF_DW, BPF_REG_1, BPF_REG_0, offsetof(hf_moved_task, task)));
  unknown.push_back(code.jump_from(jump_imm(BPF_JEQ, BPF_REG_1, 0)));
  code.add(store(BPF_DW, BPF_REG_10, at, BPF_REG_1));
}

// Stores the ns_common below the arguments.
void store_inum(Code& code, const Site& site, int index, int at) {
  const int bottom = arguments_bottom(site) - site.ns_common_bytes;
  for (int offset = 0; offset < site.ns_common_bytes; offset += kSlotBytes) {
    code.add(store_imm(BPF_DW, BPF_REG_10, bottom + offset, 0));
  }
  code.add(load(BPF_DW, BPF_REG_1, BPF_REG_6, index * kSlotBytes));
  code.add(store(BPF_W, BPF_REG_10, bottom + site.inum_offset, BPF_REG_1));
  code.add(move(BPF_REG_1, BPF_REG_10));
  code.add(add_imm(BPF_REG_1, bottom));
  code.add(store(BPF_DW, BPF_REG_10, at, BPF_REG_1));
}

void store_argument(Code& code, const Wrapping& w, const Argument& argument, int at,
                    std::vector<std::size_t>& unknown) {
  switch (argument.from) {
    case Argument::From::kZero:
      code.add(store_imm(BPF_DW, BPF_REG_10, at, 0));
      return;
    case Argument::From::kTask:
      store_task(code, w.tasks_fd, at, unknown);
      return;
    case Argument::From::kInum:
      store_inum(code, *w.site, argument.index, at);
      return;
    case Argument::From::kContext:
    case Argument::From::kMember:
    case Argument::From::kPointee:
      break;
  }
  code.add(load(BPF_DW, BPF_REG_1, BPF_REG_6, argument.index * kSlotBytes));
  if (argument.from == Argument::From::kPointee) {
    code.add(load(BPF_DW, BPF_REG_1, BPF_REG_1, argument.via));
  }
  if (argument.offset != 0) code.add(add_imm(BPF_REG_1, argument.offset));
  code.add(store(BPF_DW, BPF_REG_10, at, BPF_REG_1));
}

// r0 = the number of involuntary context switches of the task.
void count_switches(Code& code, const StorageDefect& storage) {
  code.add(call_helper(BPF_FUNC_get_current_task_btf));
  code.add(load(BPF_DW, BPF_REG_0, BPF_REG_0, storage.switches_offset));
}

// If no task on this CPU is inside a task storage look-up now, and this task is not preempted until
// the program returns, then all look-ups of the program are correct. r9 = the number of preemptions
// so far.
void begin_storage_watch(Code& code, const StorageDefect& storage,
                         std::vector<std::size_t>& unknown) {
  count_switches(code, storage);
  code.add(move(BPF_REG_9, BPF_REG_0));
  code.add_kernel_variable(BPF_REG_1, storage.busy_id);
  code.add(call_helper(BPF_FUNC_this_cpu_ptr));
  code.add(load(BPF_W, BPF_REG_0, BPF_REG_0, 0));
  unknown.push_back(code.jump_from(jump_imm(BPF_JNE, BPF_REG_0, 0)));
}

void end_storage_watch(Code& code, const StorageDefect& storage,
                       std::vector<std::size_t>& unknown) {
  code.add(move(BPF_REG_8, BPF_REG_0));
  count_switches(code, storage);
  unknown.push_back(code.jump_from(jump_reg(BPF_JNE, BPF_REG_0, BPF_REG_9)));
  code.add(move(BPF_REG_0, BPF_REG_8));
}

// r0 = the program's return value. -EPERM if an argument is not available or a look-up may be
// wrong.
void call_with_arguments(Code& code, const Wrapping& w) {
  std::vector<std::size_t> unknown;
  const bool watched = w.storage.busy_id != 0;
  if (watched) begin_storage_watch(code, w.storage, unknown);
  if (w.context == Context::kOriginal) {
    code.add(move(BPF_REG_1, BPF_REG_6));
  } else {
    int at = arguments_bottom(*w.site);
    for (const Argument& argument : w.site->arguments) {
      store_argument(code, w, argument, at, unknown);
      at += kSlotBytes;
    }
    code.add(move(BPF_REG_1, BPF_REG_10));
    code.add(add_imm(BPF_REG_1, arguments_bottom(*w.site)));
  }
  code.call_program_after();
  if (watched) end_storage_watch(code, w.storage, unknown);
  if (unknown.empty()) return;
  const std::size_t known = code.jump_from(jump());
  for (std::size_t from : unknown) code.bind_here(from);
  code.add(move_imm(BPF_REG_0, -EPERM));
  code.bind_here(known);
}

// The load from r0 is invalid, so the verifier refuses the program unless it proves that r0 is
// always 0 here. Before Linux 6.8 the verifier's own check of return values is not reliable: it may
// prune a state as equal to an earlier one although the return value differs.
void require_zero(Code& code) {
  const std::size_t zero = code.jump_from(jump32_imm(BPF_JEQ, BPF_REG_0, 0));
  code.add(load(BPF_DW, BPF_REG_0, BPF_REG_0, 0));
  code.bind_here(zero);
}

// r0 = the program's return value.
void record_verdict(Code& code, const Wrapping& w) {
  const int at = kKey - kVerdictBytes;
  const auto field = [at](std::size_t offset) { return at + static_cast<int>(offset); };
  code.add(store(BPF_W, BPF_REG_10, field(offsetof(hf_hook_verdict, verdict)), BPF_REG_0));
  code.add(store_imm(BPF_W, BPF_REG_10, field(offsetof(hf_hook_verdict, seen)), 1 << w.copy));
  code.add(store_imm(BPF_W, BPF_REG_10, field(offsetof(hf_hook_verdict, uses)), 0));
  code.add(store_imm(BPF_W, BPF_REG_10, field(offsetof(hf_hook_verdict, max_uses)),
                     static_cast<__s32>(w.site->checks)));
  code.add(store(BPF_DW, BPF_REG_10, field(offsetof(hf_hook_verdict, object)), BPF_REG_7));
  code.add_map(BPF_REG_1, w.verdicts_fd);
  code.add(move(BPF_REG_2, BPF_REG_10));
  code.add(add_imm(BPF_REG_2, kKey));
  code.add(move(BPF_REG_3, BPF_REG_10));
  code.add(add_imm(BPF_REG_3, at));
  code.add(move_imm(BPF_REG_4, BPF_ANY));
  code.add(call_helper(BPF_FUNC_map_update_elem));
}

}  // namespace

Instructions wrapper(const Wrapping& w) {
  Code code;
  code.add(move(BPF_REG_6, BPF_REG_1));
  for (const Condition& condition : w.site->conditions) exit_unless(code, condition);
  load_object(code, *w.site);
  store_key(code, w.site->key);
  if (w.scope_fd >= 0) exit_out_of_scope(code, w.scope_fd);
  exit_if_answered(code, w);
  call_with_arguments(code, w);
  if (w.refusal == Refusal::kNone) require_zero(code);
  code.add(move(BPF_REG_8, BPF_REG_0));
  record_verdict(code, w);
  if (w.refusal == Refusal::kKilled) {
    code.exit_by(jump32_imm(BPF_JEQ, BPF_REG_8, 0));
    code.add(move_imm(BPF_REG_1, SIGKILL));
    code.add(call_helper(BPF_FUNC_send_signal));
  }
  code.bind_exit_jumps();
  code.add(move_imm(BPF_REG_0, 0));
  code.add(leave());
  return std::move(code).finish();
}

namespace {

constexpr int kDeepest = 64;  // levels of cgroups that a limit looks at

// After a search for the cgroup: not found returns 0. Found, and not found within kDeepest levels,
// goes on with the program that follows, whose context was kept in register 6.
Instructions end_of_limit(Code code, std::size_t is_inside) {
  const std::size_t is_deep = code.jump_from(jump());
  code.bind_exit_jumps();
  code.add(move_imm(BPF_REG_0, 0));
  code.add(leave());
  code.bind_here(is_inside);
  code.bind_here(is_deep);
  code.add(move(BPF_REG_1, BPF_REG_6));
  return std::move(code).finish();
}

}  // namespace

// A program that may sleep cannot use a cgroup array.
Instructions limit_to_cgroup(std::uint64_t cgroup_id) {
  Code code;
  code.add(move(BPF_REG_6, BPF_REG_1));
  code.add(move_imm(BPF_REG_7, 0));
  const std::size_t level = code.next();
  code.add(move(BPF_REG_1, BPF_REG_7));
  code.add(call_helper(BPF_FUNC_get_current_ancestor_cgroup_id));
  code.add_number(BPF_REG_2, cgroup_id);
  const std::size_t is_inside = code.jump_from(jump_reg(BPF_JEQ, BPF_REG_0, BPF_REG_2));
  code.exit_by(jump_imm(BPF_JEQ, BPF_REG_0, 0));  // the task's cgroup has no such level
  code.add(add_imm(BPF_REG_7, 1));
  code.jump_back(jump_imm(BPF_JNE, BPF_REG_7, kDeepest), level);
  return end_of_limit(std::move(code), is_inside);
}

Instructions stand_in() { return {move_imm(BPF_REG_0, 0), leave()}; }

// The verifier knows the types of all pointers here, and lets the loads fail: a null pointer gives 0.
Instructions limit_to_cgroup_argument(std::uint64_t cgroup_id, int index,
                                      const CgroupLayout& layout) {
  Code code;
  code.add(move(BPF_REG_6, BPF_REG_1));
  code.add_number(BPF_REG_2, cgroup_id);
  code.add(move_imm(BPF_REG_7, 0));
  code.add(load(BPF_DW, BPF_REG_8, BPF_REG_6, index * kSlotBytes));
  const std::size_t level = code.next();
  code.add(load(BPF_DW, BPF_REG_1, BPF_REG_8, layout.node));
  code.add(load(BPF_DW, BPF_REG_1, BPF_REG_1, layout.id));
  const std::size_t is_inside = code.jump_from(jump_reg(BPF_JEQ, BPF_REG_1, BPF_REG_2));
  code.add(load(BPF_DW, BPF_REG_1, BPF_REG_8, layout.parent));
  code.exit_by(jump_imm(BPF_JEQ, BPF_REG_1, 0));  // it was the root
  code.add(load(BPF_DW, BPF_REG_8, BPF_REG_1, layout.cgroup));
  code.add(add_imm(BPF_REG_7, 1));
  code.jump_back(jump_imm(BPF_JNE, BPF_REG_7, kDeepest), level);
  return end_of_limit(std::move(code), is_inside);
}

Instructions verdict_cleaner(int verdicts_fd) {
  Code code;
  store_key(code, CallKey::kTask);
  call_with_key(code, verdicts_fd, BPF_FUNC_map_delete_elem);
  code.add(move_imm(BPF_REG_0, 0));
  code.add(leave());
  return std::move(code).finish();
}

}  // namespace holdfast::hooks
