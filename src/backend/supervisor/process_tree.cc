// SPDX-License-Identifier: Apache-2.0
//
// Who is in the tree is proved in one of two ways.
//
// A thread that waits in a call on the tree's listener descends from the process that installed the
// filter: a filter and its listener are inherited by fork, and nothing else hands them on. Its
// process is remembered by its open directory of /proc, which no other process ever gets.
//
// Or a chain of parents leads to such a process. "The parent of X is P" says that P made X, or a
// process whose orphan X is. Orphans go to a subreaper, which is then an ancestor, or to the init of
// their pid namespace (find_new_reaper() of the kernel). That init takes in whoever is orphaned
// there: a task that entered the tree's pid namespace from outside, and one of the tree's that
// entered another's. So to have it for a parent proves nothing, neither way. The same holds for this
// process when it is such an init, and when it had children before it started the tree. A seccomp
// filter of its own an outsider can install, so the number of filters only tells who is not of the
// tree: the door.
//
// Pid numbers are reused while such a chain is read, so a chain counts only when each parent is
// read twice: on the way up, and again on the way down. Between both reads of "the parent of X is
// P" the number P has meant one process: had P died, X would have another parent by the second
// read, one that was alive all along and so has another number. X itself is pinned by its open
// directory.
#include "backend/supervisor/process_tree.h"

#include <unistd.h>

namespace holdfast::backend::supervisor {
namespace {

constexpr unsigned kMaxDepth = 4096;  // of processes; deeper is not proved to be in the tree
// An entry costs a descriptor. One that is not there means that a later call needs other proof.
constexpr std::size_t kMaxRemembered = 512;
constexpr pid_t kInitNumber = 1;

}  // namespace

ProcessTree::ProcessTree(const kernel::Proc& proc) : proc_(proc), root_(::getpid()) {
  const auto self = proc.task(root_);
  const auto status = self ? self->status() : Result<kernel::TaskStatus>(self.error());
  if (!status) return;
  root_filters_ = status->filters;
  only_tree_below_ = status->innermost_pid != kInitNumber && self->children().empty();
}

void ProcessTree::keep(pid_t process, kernel::TaskDirectory directory) {
  if (remembered_.size() >= kMaxRemembered)
    std::erase_if(remembered_, [](const auto& entry) { return !entry.second.status(); });
  if (remembered_.size() >= kMaxRemembered) remembered_.clear();
  remembered_.insert_or_assign(process, std::move(directory));
}

// The caller's process keeps its number while the caller waits, so the directory is that process's
// when the call still waits after it was opened.
void ProcessTree::remember(const kernel::TaskDirectory& caller,
                           const std::function<bool()>& waiting) {
  const auto status = caller.status();
  if (!status || remembered(status->process)) return;
  auto process = proc_.task(status->process);
  if (process && waiting()) keep(status->process, std::move(*process));
}

void ProcessTree::remember_first(pid_t process) {
  if (auto directory = proc_.task(process)) keep(process, std::move(*directory));
}

// What lives is what it was when it was remembered, and has had its number since.
bool ProcessTree::remembered(pid_t process) const {
  const auto known = remembered_.find(process);
  return known != remembered_.end() && known->second.status();
}

// What changes while it is read leaves the decision open.
Membership ProcessTree::by_parents(const kernel::TaskDirectory& task,
                                   const kernel::TaskStatus& status, unsigned depth) const {
  if (remembered(status.process)) return Membership::proved;
  if (depth == 0) return Membership::possible;
  if (status.parent == root_) return only_tree_below_ ? Membership::proved : Membership::possible;
  if (status.parent <= kInitNumber) return Membership::none;  // this process is a subreaper
  const auto parent = proc_.task(status.parent);
  if (!parent) return Membership::possible;
  const auto theirs = parent->status();
  if (!theirs || theirs->innermost_pid == kInitNumber) return Membership::possible;
  const Membership found = by_parents(*parent, *theirs, depth - 1);
  const auto again = task.status();
  return again && again->parent == status.parent ? found : Membership::possible;
}

Membership ProcessTree::of(const kernel::TaskDirectory& task) const {
  const auto status = task.status();
  if (!status) return Membership::possible;
  if (status->filters <= root_filters_) return Membership::none;
  return by_parents(task, *status, kMaxDepth);
}

bool ProcessTree::any_below(const kernel::TaskDirectory& process, unsigned depth,
                            const std::function<bool(const kernel::TaskDirectory&)>& match) const {
  if (depth == 0) return false;
  for (const pid_t child : process.children()) {
    const auto leader = proc_.task(child);
    if (!leader) continue;
    for (const pid_t thread : leader->threads()) {
      const auto task = proc_.task(thread);
      if (task && match(*task)) return true;
    }
    if (any_below(*leader, depth - 1, match)) return true;
  }
  return false;
}

bool ProcessTree::any(const std::function<bool(const kernel::TaskDirectory&)>& match) const {
  const auto root = proc_.task(root_);
  return root && any_below(*root, kMaxDepth, match);
}

}  // namespace holdfast::backend::supervisor
