// SPDX-License-Identifier: Apache-2.0
// The process tree of one run: everything below the supervisor, which is its subreaper.
#ifndef HOLDFAST_BACKEND_SUPERVISOR_TREE_H
#define HOLDFAST_BACKEND_SUPERVISOR_TREE_H

#include <sys/types.h>

#include <functional>

#include "kernel/proc.h"

namespace holdfast::backend::supervisor {

class Tree {
 public:
  // `proc` is borrowed. The root is this process; it is not a member itself.
  explicit Tree(const kernel::Proc& proc);

  // Proof that the thread is in the tree. A no may also mean that it could not be proved.
  [[nodiscard]] bool contains(const kernel::TaskDirectory& task) const;

  // Calls `match` for threads of the tree until one matches that is provably in the tree. May miss
  // threads that come or go meanwhile: a yes is proof, a no is not.
  [[nodiscard]] bool any(const std::function<bool(const kernel::TaskDirectory&)>& match) const;

 private:
  [[nodiscard]] bool any_below(
      const kernel::TaskDirectory& process, unsigned depth,
      const std::function<bool(const kernel::TaskDirectory&)>& match) const;
  [[nodiscard]] bool leads_here(const kernel::TaskDirectory& task, unsigned depth) const;

  const kernel::Proc& proc_;
  pid_t root_;
  unsigned root_filters_ = 0;  // seccomp filters that the root has itself
};

}  // namespace holdfast::backend::supervisor

#endif  // HOLDFAST_BACKEND_SUPERVISOR_TREE_H
