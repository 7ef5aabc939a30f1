// SPDX-License-Identifier: Apache-2.0
// The programs that ask a namespace_alloc program before a namespace is made
// (bpf/bridge/hooks_alloc.bpf.c).
#ifndef HOLDFAST_HOOKS_ASKING_H
#define HOLDFAST_HOOKS_ASKING_H

#include <bpf/libbpf.h>

#include <functional>
#include <memory>
#include <span>
#include <vector>

#include "base/fd.h"
#include "base/result.h"
#include "hooks/rewrite.h"

struct hooks_alloc_bpf;

namespace holdfast::hooks {

// What a program is given of a namespace that is not made yet.
struct NotMade {
  int bytes = 0;           // of struct ns_common, a multiple of 8
  int ns_type_offset = 0;  // of the type in it; `bytes`: it has none, and the type follows it
};

class Asking {
 public:
  // Called with the instructions before the author's program, the type of program and the BTF id that it
  // belongs to. Loads them followed by the author's program.
  using Loader = std::function<Result<Fd>(const Instructions& before, std::uint32_t attach_id)>;

  // Loads the programs and attaches none. `scope_fd`: a cgroup array, borrowed; -1: all tasks.
  // Errors: of `load`, libbpf and bpf(2).
  static Result<Asking> create(const NotMade& not_made, int scope_fd, bool watch_storage,
                               const Loader& load);

  // Attaches all programs. Returns one link for each. Errors: of bpf(2).
  Result<std::vector<Fd>> attach();

 private:
  struct Destroy {
    void operator()(hooks_alloc_bpf* skeleton) const;
  };
  using Skeleton = std::unique_ptr<hooks_alloc_bpf, Destroy>;

  explicit Asking(Skeleton skeleton) : skeleton_(std::move(skeleton)) {}

  Skeleton skeleton_;
  std::vector<Fd> programs_;
};

// The instructions up to the only function that a program calls. Empty: it calls none, or several.
// Pure.
Instructions before_called(std::span<const bpf_insn> insns);

}  // namespace holdfast::hooks

#endif  // HOLDFAST_HOOKS_ASKING_H
