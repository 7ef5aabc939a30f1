// SPDX-License-Identifier: Apache-2.0
#include "backend/calls/caller.h"

#include <poll.h>
#include <sys/syscall.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "kernel/process/child.h"
#include "kernel/process/process.h"

namespace holdfast::backend::calls {
namespace {

constexpr int kSelfTestTimeoutMs = 10'000;

Result<Fd> open_table_owner(pid_t thread, pid_t process) {
  if (thread == process) return kernel::open_pidfd(process);
  auto pidfd = kernel::open_thread_pidfd(thread);
  if (pidfd || pidfd.error().code != EINVAL) return pidfd;
  // Older kernels have pidfds for processes only. One will do if the thread shares the descriptor
  // table of its process.
  HF_TRY_ASSIGN(const auto shared, kernel::share_descriptors(thread, process));
  if (!shared) return Error{EINVAL, "open the descriptors of a thread", {}, {}};
  return kernel::open_pidfd(process);
}

Duplicate take(int pidfd, bool stable, int remote_fd) {
  auto fd = kernel::duplicate_from(pidfd, remote_fd);
  if (fd) return {std::move(*fd), stable};
  const bool none = fd.error().code == EBADF;
  return {Fd(), stable && none, none};
}

}  // namespace

Result<Fd> open_descriptor_table(const seccomp_notif& call, const kernel::TaskStatus& status) {
  return open_table_owner(static_cast<pid_t>(call.pid), status.process);
}

bool has_own_table(const seccomp_notif& call, const kernel::TaskDirectory& task,
                   const SharedTables& tables) {
  if (tables.known(call)) return !tables.possible(task, static_cast<pid_t>(call.pid));
  const auto status = task.status();
  return status && status->threads == 1 && status->process == static_cast<pid_t>(call.pid) &&
         !tables.possible(task, status->process);
}

Duplicate duplicate_of_thread(const seccomp_notif& call, const kernel::TaskDirectory& task,
                              const SharedTables& tables, int remote_fd) {
  const auto thread = static_cast<pid_t>(call.pid);
  if (const KnownTask* known = tables.known(call))
    return take(known->pidfd.get(), !tables.possible(task, thread), remote_fd);
  const auto status = task.status();
  if (!status) return {Fd(), false};
  const bool stable =
      status->threads == 1 && status->process == thread && !tables.possible(task, status->process);
  const auto owner = open_table_owner(thread, status->process);
  if (!owner) return {Fd(), false};
  return take(owner->get(), stable, remote_fd);
}

std::optional<hf_task> describe_task(const kernel::TaskDirectory& directory) {
  const auto status = directory.status();
  const auto name = directory.command_name();
  if (!status || !name) return std::nullopt;
  hf_task task = {};
  task.pid = static_cast<__u32>(status->thread);
  task.tgid = static_cast<__u32>(status->process);
  task.uid = status->uid;
  std::memcpy(task.comm, name->data(), std::min(name->size(), sizeof(task.comm) - 1));
  return task;
}

Result<std::unique_ptr<kernel::Listener>> take_listener(const Child& child) {
  HF_TRY_ASSIGN(Fd duplicate,
                wrap(kernel::duplicate(child.listener_fd), "take the seccomp listener"));
  return kernel::SeccompListener::create(std::move(duplicate));
}

Result<void> answer_self_test(kernel::Listener& listener, pid_t child) {
  HF_TRY_ASSIGN(auto ready, kernel::poll_readable({listener.fd()}, kSelfTestTimeoutMs));
  if (!(ready.front() & POLLIN))
    return Error{ETIMEDOUT, "prove the seccomp filter", {}, "the child's call did not arrive"};
  HF_TRY_ASSIGN(auto call, wrap(listener.receive(), "prove the seccomp filter"));
  const seccomp_notif& self_test = *call;
  if (static_cast<pid_t>(self_test.pid) != child || self_test.data.nr != SYS_setns ||
      static_cast<int>(self_test.data.args[1]) != kernel::kSelfTestArgument)
    return Error{EPROTO, "prove the seccomp filter", {}, "another call arrived first"};
  return listener.refuse(self_test.id, kernel::kSelfTestError);
}

}  // namespace holdfast::backend::calls
