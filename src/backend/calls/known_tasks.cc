// SPDX-License-Identifier: Apache-2.0
#include "backend/calls/known_tasks.h"

#include <utility>

#include "kernel/process/process.h"

namespace holdfast::backend::calls {
namespace {

constexpr std::size_t kMaxKnown = 128;  // each has three descriptors

}  // namespace

KnownTask* KnownTasks::begin(const seccomp_notif& call, const kernel::Listener& listener) {
  const auto pid = static_cast<pid_t>(call.pid);
  current_ = nullptr;
  current_call_ = call.id;
  const auto found = tasks_.find(pid);
  if (found != tasks_.end()) {
    const auto threads = found->second.threads.now();
    if (threads == 1) return current_ = &found->second;
    if (threads != 0) return nullptr;
    tasks_.erase(found);
  }
  pid_t& seen = seen_[static_cast<std::size_t>(pid) % seen_.size()];
  if (std::exchange(seen, pid) != pid) return nullptr;
  return current_ = make_known(call, listener);
}

KnownTask* KnownTasks::make_known(const seccomp_notif& call, const kernel::Listener& listener) {
  const auto pid = static_cast<pid_t>(call.pid);
  auto directory = proc_->task(pid);
  if (!directory) return nullptr;
  const auto status = directory->status();
  if (!status || status->process != pid || status->threads != 1) return nullptr;
  auto threads = directory->thread_count();
  auto pidfd = kernel::open_pidfd(pid);
  // Also checks that this /proc counts links as described.
  if (!threads || !pidfd || threads->now() != 1 || !listener.waiting(call.id)) return nullptr;
  make_room();
  return &tasks_
              .insert_or_assign(
                  pid, KnownTask{std::move(directory), std::move(*threads), std::move(*pidfd)})
              .first->second;
}

void KnownTasks::make_room() {
  if (tasks_.size() < kMaxKnown) return;
  std::erase_if(tasks_, [](const auto& entry) { return entry.second.threads.now() == 0; });
  if (tasks_.size() >= kMaxKnown) tasks_.clear();
}

void KnownTasks::namespaces_may_change(const seccomp_notif& call) {
  if (of(call)) {
    current_->namespaces.reset();
    return;
  }
  for (auto& [pid, task] : tasks_) task.namespaces.reset();
}

void KnownTasks::keep_namespaces(KnownTask& task, const kernel::TaskNamespaces& namespaces) {
  using kernel::kPidForChildren;
  using kernel::kTimeForChildren;
  if (namespaces.link[kPidForChildren] != namespaces.link[kernel::kPidNamespace] ||
      namespaces.link[kTimeForChildren] != namespaces.link[kernel::kTimeNamespace])
    return;
  task.namespaces = namespaces;
}

}  // namespace holdfast::backend::calls
