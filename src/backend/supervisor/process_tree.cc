// SPDX-License-Identifier: Apache-2.0
//
// There are two proofs that a task is in the tree.
//
// 1. The task waits in a call on the tree's listener. Then it descends from the process that
//    installed the filter, because filters are inherited by fork and in no other way. Its process
//    is recorded by an open directory of /proc, which never refers to another process.
//
// 2. A chain of parents leads from the task to a recorded process. "The parent of X is P" means
//    that P made X, or that X is an orphan that P adopted. An orphan goes to a subreaper among its
//    ancestors, or to the init of its pid namespace (find_new_reaper() of the kernel). A subreaper
//    is an ancestor. An init may not be one: it adopts tasks that entered its pid namespace from
//    elsewhere. So a parent that is an init proves neither membership nor its absence. The same is
//    true for the supervisor itself, if it is an init or had children before it started the tree.
//
// Every member has at least one more seccomp filter than the supervisor. So a task with fewer
// filters is not a member; the connect helper is such a task. More filters prove nothing, since any
// task can install a filter.
//
// Pids may be reused while a chain is read. So each "the parent of X is P" is read twice, on the
// way up and again on the way down. If both reads agree, P was the same process in between: had P
// died, X would have been adopted by another process, with another pid, that was alive already. X
// itself is pinned by its open directory.
#include "backend/supervisor/process_tree.h"

#include <unistd.h>

namespace holdfast::backend::supervisor {
namespace {

constexpr unsigned kMaxDepth = 4096;  // generations; a deeper task is not proved to be a member
// Each entry costs a descriptor. A missing entry only means that another proof is needed.
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
  if (remembered_.size() >= kMaxRemembered) {
    remembered_.clear();
    since_++;
  }
  remembered_.insert_or_assign(process, std::move(directory));
}

// A process keeps its pid while one of its threads waits. So if the call still waits after the
// directory was opened, the directory is that of the caller's process.
bool ProcessTree::remember(const kernel::TaskDirectory& caller,
                           const std::function<bool()>& waiting) {
  const auto status = caller.status();
  if (!status) return false;
  if (remembered(status->process)) return true;
  auto process = proc_.task(status->process);
  if (!process || !waiting()) return false;
  keep(status->process, std::move(*process));
  return true;
}

void ProcessTree::remember_first(pid_t process) {
  if (auto directory = proc_.task(process)) keep(process, std::move(*directory));
}

// If the recorded process is alive, it has had this pid the whole time.
bool ProcessTree::remembered(pid_t process) const {
  const auto known = remembered_.find(process);
  return known != remembered_.end() && known->second.status();
}

// If something changes while it is read, the result is `possible`.
Membership ProcessTree::by_parents(const kernel::TaskDirectory& task,
                                   const kernel::TaskStatus& status, unsigned depth) const {
  if (remembered(status.process)) return Membership::proved;
  if (depth == 0) return Membership::possible;
  if (status.parent == root_) return only_tree_below_ ? Membership::proved : Membership::possible;
  if (status.parent <= kInitNumber) return Membership::none;  // the root adopts orphans of the tree
  const auto parent = proc_.task(status.parent);
  if (!parent) return Membership::possible;
  const auto theirs = parent->status();
  if (!theirs || theirs->innermost_pid == kInitNumber) return Membership::possible;
  const Membership found = by_parents(*parent, *theirs, depth - 1);
  const auto again = task.status();
  return again && again->parent == status.parent ? found : Membership::possible;
}

Membership ProcessTree::of(const kernel::TaskDirectory& task) const {
  if (all_) return below_(task) ? all_->of(task) : Membership::none;
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
