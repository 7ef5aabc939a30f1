// SPDX-License-Identifier: Apache-2.0
//
// Who is in the tree is read, not remembered. Orphans of the tree are reparented to the supervisor
// (PR_SET_CHILD_SUBREAPER) or to an init below it, so exactly the tree's tasks have a chain of
// parents that leads to it.
//
// Pid numbers are reused while such a chain is read, so a chain counts only when each parent is
// read twice: on the way up, and again on the way down. Between both reads of "the parent of X is
// P" the number P has meant one process: had P died, X would have another parent by the second
// read, one that was alive all along and so has another number. X itself is pinned by its open
// directory.
#include "backend/supervisor/tree.h"

#include <unistd.h>

namespace holdfast::backend::supervisor {
namespace {

constexpr unsigned kMaxDepth = 4096;  // of processes; deeper is not proved to be in the tree

}  // namespace

Tree::Tree(const kernel::Proc& proc) : proc_(proc), root_(::getpid()) {
  if (const auto self = proc.task(root_))
    if (const auto status = self->status()) root_filters_ = status->filters;
}

bool Tree::leads_here(const kernel::TaskDirectory& task, unsigned depth) const {
  const auto status = task.status();
  if (!status || depth == 0) return false;
  if (status->parent == root_) return true;
  if (status->parent <= 1) return false;
  const auto parent = proc_.task(status->parent);
  if (!parent || !leads_here(*parent, depth - 1)) return false;
  const auto again = task.status();
  return again && again->parent == status->parent;
}

// A task without the tree's filter entered a pid namespace of the tree from outside and was
// orphaned there, or is the door.
bool Tree::contains(const kernel::TaskDirectory& task) const {
  const auto status = task.status();
  return status && status->filters > root_filters_ && leads_here(task, kMaxDepth);
}

bool Tree::any_below(const kernel::TaskDirectory& process, unsigned depth,
                     const std::function<bool(const kernel::TaskDirectory&)>& match) const {
  if (depth == 0) return false;
  for (const pid_t child : process.children()) {
    const auto leader = proc_.task(child);
    if (!leader) continue;
    for (const pid_t thread : leader->threads()) {
      const auto task = proc_.task(thread);
      if (task && match(*task) && contains(*task)) return true;
    }
    if (any_below(*leader, depth - 1, match)) return true;
  }
  return false;
}

bool Tree::any(const std::function<bool(const kernel::TaskDirectory&)>& match) const {
  const auto root = proc_.task(root_);
  return root && any_below(*root, kMaxDepth, match);
}

}  // namespace holdfast::backend::supervisor
