// SPDX-License-Identifier: Apache-2.0
// The debug information of a wrapped program: types, functions and source lines.
#ifndef HOLDFAST_HOOKS_BTF_PATCH_H
#define HOLDFAST_HOOKS_BTF_PATCH_H

#include <bpf/bpf.h>
#include <linux/bpf.h>

#include <cstdint>
#include <vector>

#include "base/fd.h"
#include "base/result.h"

namespace holdfast::hooks {

// The debug information with which a wrapped program is loaded. Empty if the program has none.
struct DebugInfo {
  Fd btf;
  std::vector<bpf_func_info> functions;
  std::vector<bpf_line_info> lines;
  // Offset in bytes of ns_common.ns_type in the program's own types; -1: it does not have the
  // field.
  int ns_type_offset = -1;

  // Writes the information to `options`, for a wrapper of this many instructions. `options` then
  // refers to this object and to the two output vectors, which must outlive the load.
  void apply_to(bpf_prog_load_opts& options, std::uint32_t wrapper_insns,
                std::vector<bpf_func_info>& functions_out,
                std::vector<bpf_line_info>& lines_out) const;
};

// `options`: as libbpf prepared them for the program. The result declares the program as a static
// function. The verifier checks a global function separately, without the types of its arguments.
// Errors: of libbpf's BTF functions and bpf(2).
Result<DebugInfo> patch_debug_info(const bpf_prog_load_opts& options);

// For a program that `insns` instructions were put in front of. Writes its functions and lines to
// the vectors, which must outlive the load, and lets `options` refer to them.
void shift_debug_info(bpf_prog_load_opts& options, std::uint32_t insns,
                      std::vector<bpf_func_info>& functions, std::vector<bpf_line_info>& lines);

// A hash map from u64 to hf_moved_task, whose first word may hold a pointer to a task. Errors: of
// bpf(2).
Result<Fd> make_task_map();

}  // namespace holdfast::hooks

#endif  // HOLDFAST_HOOKS_BTF_PATCH_H
