// SPDX-License-Identifier: Apache-2.0
//
// A descriptor number means the same object before and after a decision only if no other task can
// change the descriptor table. Threads of a process are counted by the kernel. This file answers
// for other processes, which share a table only after clone(2) with CLONE_FILES and without
// CLONE_THREAD. Every such clone of the tree is notified.
//
// Of two processes that share a table, one made such a clone, or is a child of such a clone:
//
//   - Who makes one is recorded before the clone continues, by pid and start time, until it ends.
//   - A child of one starts after the first such clone was recorded. Its table becomes its own when
//     it executes a program (begin_new_exec() calls unshare_files() first). The kernel then clears
//     PF_FORKNOEXEC, which every new task has. So a process that is older, or has executed a
//     program and made no such clone, shares its table with no other process.
//
// The remaining processes are children of fork() that were started later and have executed no
// program. Some of them share no table. They count as sharing all the same, since a parent may have
// ended and nothing tells the two kinds apart.
#include "backend/calls/shared_tables.h"

#include <sched.h>

#include "kernel/process/process.h"

namespace holdfast::backend::calls {
namespace {

constexpr std::size_t kMaxMakers = 4096;

}  // namespace

bool shares_table(const seccomp_data& clone) {
  return (clone.args[0] & CLONE_FILES) && !(clone.args[0] & CLONE_THREAD);
}

bool SharedTables::record(const kernel::TaskDirectory& caller,
                          const std::function<bool()>& waiting) {
  const std::uint64_t now_ticks = kernel::ticks_of_boottime(kernel::boottime_ns());
  const auto status = caller.status();
  if (!status) return false;
  const auto leader = proc_->task(status->process);
  const auto birth = leader ? leader->birth() : Result<kernel::TaskBirth>(leader.error());
  if (!birth || !waiting()) return false;
  if (first_ticks_ == 0) first_ticks_ = now_ticks;
  if (makers_.size() >= kMaxMakers) forget_ended();
  if (makers_.size() >= kMaxMakers) all_ = true;
  if (!all_) makers_[status->process] = birth->start_ticks;
  return true;
}

void SharedTables::forget_ended() {
  std::erase_if(makers_, [&](const auto& maker) {
    const auto task = proc_->task(maker.first);
    if (!task) return task.error().code == ENOENT;
    const auto birth = task->birth();
    return birth && birth->start_ticks != maker.second;
  });
}

bool SharedTables::possible(const kernel::TaskDirectory& leader, pid_t process) const {
  if (first_ticks_ == 0) return false;
  if (all_) return true;
  const auto birth = leader.birth();
  if (!birth) return true;
  const auto maker = makers_.find(process);
  if (maker != makers_.end() && maker->second == birth->start_ticks) return true;
  return !birth->executed && birth->start_ticks >= first_ticks_;
}

}  // namespace holdfast::backend::calls
