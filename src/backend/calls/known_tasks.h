// SPDX-License-Identifier: Apache-2.0
// What stays true of a process from one of its calls to the next: open descriptors for it, and the
// namespaces that it is in. One thread.
//
// Only processes with one thread are known, so the thread that calls is the process. A call's pid is
// a number, and its process may die and leave the number to another one. But a known process that is
// still alive has had its number all the time. The open directory of its threads shows both in one
// system call: the number of its links is 2 and the number of threads, which is 0 after its death.
//
// Namespaces. Only a task itself changes them, by a call that is notified: setns(), unshare() and
// clone(). They are forgotten when such a call continues. Three more things could change them:
//   - A thread that executes a program takes over the pid of its process, with namespaces of its
//     own. It got those by a notified call. When a thread that is not known to be alone makes one, the
//     namespaces of all processes are forgotten, and those of a process are only read while it has
//     one thread.
//   - execve() moves a task into its time namespace for children.
//   - The first child makes a new pid namespace for children one with an init.
//   In the last two cases the namespaces of a task and those for its children differ, and then
//   nothing is kept.
#ifndef HOLDFAST_BACKEND_CALLS_KNOWN_TASKS_H
#define HOLDFAST_BACKEND_CALLS_KNOWN_TASKS_H

#include <linux/seccomp.h>
#include <sys/types.h>

#include <array>
#include <cstdint>
#include <optional>
#include <unordered_map>

#include "base/fd.h"
#include "base/result.h"
#include "kernel/proc/proc.h"
#include "kernel/process/seccomp.h"

namespace holdfast::backend::calls {

struct KnownTask {
  Result<kernel::TaskDirectory> directory;
  kernel::ThreadCount threads;
  Fd pidfd;
  std::optional<kernel::TaskNamespaces> namespaces = {};
  std::uint64_t remembered = 0;  // for the session: as ProcessTree::remembered_since()
};

class KnownTasks {
 public:
  // `proc` is borrowed.
  explicit KnownTasks(const kernel::Proc& proc) : proc_(&proc) {}

  // Begins a call: looks up its process, and makes it known at its second call. Null: it is not
  // known, or it has several threads now. The result is good until the next begin().
  KnownTask* begin(const seccomp_notif& call, const kernel::Listener& listener);
  // The process of this call, if begin() was called for it last and found it.
  [[nodiscard]] const KnownTask* of(const seccomp_notif& call) const {
    return current_ && call.id == current_call_ ? current_ : nullptr;
  }
  // Call it before a call continues that may change the caller's namespaces.
  void namespaces_may_change(const seccomp_notif& call);
  // Keeps the namespaces, which were read in the call of begin().
  static void keep_namespaces(KnownTask& task, const kernel::TaskNamespaces& namespaces);

 private:
  KnownTask* make_known(const seccomp_notif& call, const kernel::Listener& listener);
  void make_room();

  const kernel::Proc* proc_;
  std::unordered_map<pid_t, KnownTask> tasks_;
  KnownTask* current_ = nullptr;
  std::uint64_t current_call_ = 0;
  std::array<pid_t, 64> seen_ = {};  // pids that made a call, each at its remainder
};

}  // namespace holdfast::backend::calls

#endif  // HOLDFAST_BACKEND_CALLS_KNOWN_TASKS_H
