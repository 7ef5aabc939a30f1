// SPDX-License-Identifier: Apache-2.0
//
// Access to another task: a tracer can do what the traced task may do. The Landlock domain already
// keeps the tree from tracing tasks outside. This file decides about two tasks of the tree, so that
// a refusal is reported with its rule.
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

std::optional<pid_t> traced_task(const SessionView& view, const Caller& caller) {
  const auto& arguments = caller.call.data.args;
  switch (caller.call.data.nr) {
    case SYS_ptrace:
      return supervisors_number(view, caller, static_cast<pid_t>(arguments[1]));
    case SYS_pidfd_getfd: {
      const Duplicate target = duplicate_of(caller, static_cast<int>(arguments[0]));
      if (!target.fd || !target.stable) return std::nullopt;
      const auto process = view.proc.process_of_pidfd(target.fd.get());
      return process && *process > 0 ? std::optional(*process) : std::nullopt;
    }
    default:
      return supervisors_number(view, caller, static_cast<pid_t>(arguments[0]));
  }
}

}  // namespace

std::optional<pid_t> supervisors_number(const SessionView& view, const Caller& caller, pid_t pid) {
  if (pid <= 0) return std::nullopt;
  const auto own_namespace = caller.task.open_namespace(kernel::kPidNamespace);
  if (!own_namespace) return std::nullopt;
  const auto translated = kernel::pid_from_namespace(own_namespace->get(), pid);
  if (translated) return *translated > 0 ? std::optional(*translated) : std::nullopt;
  if (translated.error().code != ENOTTY) return std::nullopt;
  return in_own_pid_namespace(view, caller) ? pid : search_tree(view, caller, pid);
}

PendingDecision decision_of_trace(const SessionView& view, const Caller& caller) {
  PendingDecision decision;
  decision.request = caller.common;
  decision.request.op = HF_OP_TRACE;
  decision.request.via = HF_VIA_PTRACE;
  // A task that is not found, or not proved to be in the tree, has no profile. A confined caller
  // may not trace it.
  const auto pid = traced_task(view, caller);
  if (!pid) return decision;
  decision.object.pid = static_cast<__u32>(*pid);
  const auto task = view.proc.task(*pid);
  if (!task) return decision;
  decision.object = describe_task(*task).value_or(decision.object);
  const auto namespaces = task->namespaces();
  if (!namespaces || !view.tree.contains(*task)) return decision;
  decision.request.object = decision.request.subject;
  if (view.sandbox.held(*namespaces).types != 0) decision.request.flags |= HF_REQ_OBJECT_HELD_SAME;
  return decision;
}

}  // namespace holdfast::backend::supervisor
