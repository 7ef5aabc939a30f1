// SPDX-License-Identifier: Apache-2.0
// The debugging information of a wrapped program: types, functions and source lines.
#ifndef HOLDFAST_HOOKS_BTF_PATCH_H
#define HOLDFAST_HOOKS_BTF_PATCH_H

#include <bpf/bpf.h>
#include <linux/bpf.h>

#include <cstdint>
#include <vector>

#include "base/fd.h"
#include "base/result.h"

namespace holdfast::hooks {

// What a wrapped program is loaded with instead of its own. All empty for a program that has none.
struct DebugInfo {
  Fd btf;
  std::vector<bpf_func_info> functions;
  std::vector<bpf_line_info> lines;
  int ns_type_offset = -1;  // of ns_common.ns_type in the program's own types; -1: it has none

  // The same for a wrapper of this many instructions.
  void put_into(bpf_prog_load_opts& options, std::uint32_t wrapper_insns,
                std::vector<bpf_func_info>& functions_out,
                std::vector<bpf_line_info>& lines_out) const;
};

// options: as libbpf made them for the program. The program becomes a static function of its own
// name, since a global one would be verified on its own, without the types of its arguments.
Result<DebugInfo> patch_debug_info(const bpf_prog_load_opts& options);

// A hash of u64 to hf_moved_task whose first word may hold a pointer to a task.
Result<Fd> make_task_map();

}  // namespace holdfast::hooks

#endif  // HOLDFAST_HOOKS_BTF_PATCH_H
