// SPDX-License-Identifier: Apache-2.0
// Checks a program for operations that do not work when its hook is bridged. The verifier's message
// would name a function that the author does not know.
#include <algorithm>
#include <cerrno>
#include <optional>

#include "hooks/rewrite.h"
#include "hooks/rewrite_insn.h"

namespace holdfast::hooks {
namespace {

// libbpf writes this helper number in place of an access to a field or type that this kernel lacks.
constexpr __s32 kMissingField = 195896080;

bool is_helper_call(const bpf_insn& insn, __s32 helper) {
  return insn.code == (BPF_JMP | BPF_CALL) && insn.src_reg == 0 && insn.imm == helper;
}

struct Known {
  bpf_func_id helper;
  const char* name;
};

// Helpers for sleepable programs only. The functions that replace the hooks cannot sleep.
constexpr Known kSleepable[] = {{BPF_FUNC_copy_from_user, "bpf_copy_from_user"},
                                {BPF_FUNC_copy_from_user_task, "bpf_copy_from_user_task"},
                                {BPF_FUNC_ima_inode_hash, "bpf_ima_inode_hash"},
                                {BPF_FUNC_ima_file_hash, "bpf_ima_file_hash"}};

// Helpers for programs of type LSM only.
constexpr Known kLsmOnly[] = {{BPF_FUNC_inode_storage_get, "bpf_inode_storage_get"},
                              {BPF_FUNC_inode_storage_delete, "bpf_inode_storage_delete"},
                              {BPF_FUNC_bprm_opts_set, "bpf_bprm_opts_set"}};

// Helpers that require the context that the kernel passed to the program.
constexpr Known kOriginalContext[] = {{BPF_FUNC_perf_event_output, "bpf_perf_event_output"},
                                      {BPF_FUNC_get_stackid, "bpf_get_stackid"},
                                      {BPF_FUNC_get_stack, "bpf_get_stack"},
                                      {BPF_FUNC_get_func_arg, "bpf_get_func_arg"},
                                      {BPF_FUNC_get_func_arg_cnt, "bpf_get_func_arg_cnt"}};

template <std::size_t N>
std::optional<Known> find(const bpf_insn& insn, const Known (&list)[N]) {
  for (const Known& known : list) {
    if (is_helper_call(insn, known.helper)) return known;
  }
  return std::nullopt;
}

Error refused(Hook hook, std::string_view what, std::string_view why) {
  return Error{EOPNOTSUPP, "bridge " + std::string(hook_name(hook)), std::string(what),
               std::string(why)};
}

// Replaces each read of ns_type that libbpf has found no field for.
template <typename Make>
void repair(Instructions& body, std::span<const bpf_insn> original, int ns_type_offset,
            const Make& make) {
  if (ns_type_offset < 0) return;
  for (std::size_t i = 0; i < original.size() && i < body.size(); i++) {
    const bpf_insn& before = original[i];
    const bool reads_it =
        before.code == (BPF_LDX | BPF_MEM | BPF_W) && before.off == ns_type_offset;
    if (is_helper_call(body[i], kMissingField) && reads_it) body[i] = make(before);
  }
}

}  // namespace

Result<Context> check_instructions(std::span<const bpf_insn> insns, const Offer& offer, Hook hook) {
  if (offer.state != Offer::State::kBridged) return refused(hook, "", offer.how);
  Context context = Context::kArguments;
  for (const bpf_insn& insn : insns) {
    if (const auto known = find(insn, kSleepable)) {
      return refused(hook, known->name,
                     "it may sleep; a bridged program runs where the kernel must not sleep");
    }
    if (const auto known = find(insn, kLsmOnly)) {
      return refused(
          hook, known->name,
          "the kernel permits it in LSM programs only; a bridged program is a tracing program");
    }
    if (is_helper_call(insn, BPF_FUNC_tail_call)) {
      return refused(hook, "bpf_tail_call",
                     "the program array would need different programs for each function that "
                     "replaces the hook, and an empty slot would permit the call");
    }
    if (const auto known = find(insn, kOriginalContext)) {
      if (hook != Hook::kInstall) {
        return refused(hook, known->name, "it needs the native hook's own context");
      }
      context = Context::kOriginal;
    }
  }
  return context;
}

bool uses_task_storage(std::span<const bpf_insn> insns) {
  return std::ranges::any_of(
      insns, [](const bpf_insn& insn) { return is_helper_call(insn, BPF_FUNC_task_storage_get); });
}

void repair_ns_type(Instructions& body, std::span<const bpf_insn> original, const Site& site,
                    int ns_type_offset) {
  if (site.ns_type == 0) return;
  repair(body, original, ns_type_offset, [&site](const bpf_insn& before) {
    return insn(BPF_ALU | BPF_MOV | BPF_K, before.dst_reg, 0, 0, static_cast<__s32>(site.ns_type));
  });
}

void repair_ns_type_by_offset(Instructions& body, std::span<const bpf_insn> original, int to_offset,
                              int ns_type_offset) {
  repair(body, original, ns_type_offset, [to_offset](const bpf_insn& before) {
    return load(BPF_W, before.dst_reg, before.src_reg, to_offset);
  });
}

}  // namespace holdfast::hooks
