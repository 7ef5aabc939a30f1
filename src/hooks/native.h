// SPDX-License-Identifier: Apache-2.0
// A program of another project's object whose hook the kernel has. The kernel runs it as it is,
// limited to a cgroup if that is asked for.
#ifndef HOLDFAST_HOOKS_NATIVE_H
#define HOLDFAST_HOOKS_NATIVE_H

#include <bpf/bpf.h>
#include <bpf/libbpf.h>

#include <vector>

#include "base/result.h"
#include "hooks/adapter.h"
#include "hooks/hooks_sites.h"
#include "hooks/rewrite.h"

namespace holdfast::hooks {

// One thread, as libbpf itself.
class NativeProgram {
 public:
  // `offer` is native, and must outlive this object.
  NativeProgram(Hook hook, const Offer& offer) : hook_(hook), offer_(offer) {}

  // Called by libbpf before it loads the program. Attaches it to the kernel's name of the hook.
  // Adds the limit to its instructions, in `program` and `options`; `options` then refers to memory
  // of this object.
  // Errors: of fstat(2), libbpf.
  Result<void> prepare(bpf_program* program, bpf_prog_load_opts& options, const Choices& choices);

 private:
  Result<void> limit(bpf_program* program, bpf_prog_load_opts& options, int cgroup_fd);

  Hook hook_;
  const Offer& offer_;
  // libbpf reads these when it loads the program, after prepare() has returned.
  std::vector<bpf_func_info> functions_;
  std::vector<bpf_line_info> lines_;
};

}  // namespace holdfast::hooks

#endif  // HOLDFAST_HOOKS_NATIVE_H
