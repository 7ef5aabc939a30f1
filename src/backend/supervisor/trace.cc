// SPDX-License-Identifier: Apache-2.0
//
// Access to another task: a tracer can do what the traced task may do. The Landlock domain already
// keeps the tree from tracing tasks outside. This file decides about two tasks of the tree, so that
// a refusal is reported with its rule.
#include <sys/ptrace.h>
#include <sys/syscall.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "backend/supervisor/calls.h"
#include "kernel/process/namespaces.h"
#include "kernel/process/process.h"

namespace holdfast::backend::supervisor {
namespace {

bool in_own_pid_namespace(const SessionView& view, const Caller& caller) {
  const auto self = view.proc.task(kernel::own_pid());
  const auto own = self ? self->namespaces() : Result<kernel::TaskNamespaces>(self.error());
  return own && own->link[kernel::kPidNamespace] == caller.namespaces.link[kernel::kPidNamespace];
}

// Kernels before 6.11 cannot translate pids. Searches the tree for the thread with this pid in the
// caller's pid namespace.
std::optional<pid_t> search_tree(const SessionView& view, const Caller& caller, pid_t pid) {
  std::optional<pid_t> found;
  const auto namespace_wanted = caller.namespaces.link[kernel::kPidNamespace];
  (void)view.tree.any([&](const kernel::TaskDirectory& task) {
    const auto status = task.status();
    if (!status || status->innermost_pid != pid) return false;
    const auto namespaces = task.namespaces();
    if (!namespaces || namespaces->link[kernel::kPidNamespace] != namespace_wanted) return false;
    found = status->thread;
    return true;
  });
  return found;
}

Located locate_target(const SessionView& view, const Caller& caller) {
  const auto& arguments = caller.call.data.args;
  if (caller.call.data.nr == SYS_ptrace)
    return locate(view, caller, static_cast<pid_t>(arguments[1]));
  if (caller.call.data.nr != SYS_pidfd_getfd)
    return locate(view, caller, static_cast<pid_t>(arguments[0]));
  const int pidfd = static_cast<int>(arguments[0]);
  using Kind = kernel::TaskDirectory::DescriptorKind;
  if (caller.task.names_served_file(pidfd)) return {Located::State::none, 0, EBADF};
  if (!has_own_table(caller.call, caller.task, view.tables))
    return caller.task.descriptor_kind(pidfd) == Kind::none
               ? Located{Located::State::none, 0, EBADF}
               : Located{Located::State::unknown};
  const Duplicate target = duplicate_of(view, caller, pidfd);
  if (target.none) return {Located::State::none, 0, EBADF};
  if (!target.fd) return {Located::State::unknown};
  const auto process = view.proc.process_of_pidfd(target.fd.get());
  if (!process && process.error().code == EBADF) return {Located::State::none, 0, EBADF};
  if (process && *process < 0) return {Located::State::none};
  if (!process || *process == 0 || !target.stable) return {Located::State::unknown};
  return {Located::State::found, *process};
}

// What the kernel returns for a task of the tree that has ended and is not reaped.
int error_of_ended(const seccomp_data& data) {
  const bool attaches =
      data.nr == SYS_ptrace && (static_cast<std::uint32_t>(data.args[0]) == PTRACE_ATTACH ||
                                static_cast<std::uint32_t>(data.args[0]) == PTRACE_SEIZE);
  return attaches ? EPERM : ESRCH;
}

}  // namespace

Located locate(const SessionView& view, const Caller& caller, pid_t pid) {
  using State = Located::State;
  if (pid <= 0) return {State::none};
  const auto own_namespace = caller.task.open_namespace(kernel::kPidNamespace);
  if (!own_namespace) return {State::unknown};
  const auto translated = kernel::pid_from_namespace(own_namespace->get(), pid);
  if (translated)
    return *translated > 0 ? Located{State::found, *translated} : Located{State::unknown};
  if (translated.error().code == ESRCH) return {State::none};
  if (translated.error().code != ENOTTY) return {State::unknown};
  if (in_own_pid_namespace(view, caller)) {
    const auto task = view.proc.task(pid);
    return task || task.error().code != ENOENT ? Located{State::found, pid} : Located{State::none};
  }
  const auto found = search_tree(view, caller, pid);
  return found ? Located{State::found, *found} : Located{State::unknown};
}

std::optional<pid_t> supervisors_number(const SessionView& view, const Caller& caller, pid_t pid) {
  const Located located = locate(view, caller, pid);
  return located.state == Located::State::found ? std::optional(located.pid) : std::nullopt;
}

Result<PendingDecision> decision_of_trace(const SessionView& view, const Caller& caller) {
  PendingDecision decision;
  decision.request = caller.common;
  decision.request.op = HF_OP_TRACE;
  decision.request.via = HF_VIA_PTRACE;
  // Nothing that a rule is about. The answer is the kernel's, and no event.
  const Located target = locate_target(view, caller);
  if (target.state == Located::State::none) return Error{target.error, "trace", {}, {}};
  // A task that is not found, or not proved to be in the tree, has no profile. A confined caller
  // may not trace it.
  if (target.state == Located::State::unknown) return decision;
  decision.object.pid = static_cast<__u32>(target.pid);
  const auto task = view.proc.task(target.pid);
  if (!task) return decision;
  decision.object = describe_task(*task).value_or(decision.object);
  const auto namespaces = task->namespaces();
  const bool member = view.tree.contains(*task);
  const auto status = task->status();
  if (member && status && status->ended)
    return Error{error_of_ended(caller.call.data), "trace", {}, {}};
  if (!namespaces || !member) return decision;
  decision.request.object = decision.request.subject;
  if (view.sandbox.held(*namespaces).types != 0) decision.request.flags |= HF_REQ_OBJECT_HELD_SAME;
  return decision;
}

}  // namespace holdfast::backend::supervisor
