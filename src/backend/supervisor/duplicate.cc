// SPDX-License-Identifier: Apache-2.0
#include <cerrno>

#include "backend/supervisor/calls.h"
#include "kernel/process.h"

namespace holdfast::backend::supervisor {
namespace {

Result<Fd> open_table_owner(pid_t thread, pid_t process) {
  if (thread == process) return kernel::open_pidfd(process);
  auto pidfd = kernel::open_thread_pidfd(thread);
  if (pidfd || pidfd.error().code != EINVAL) return pidfd;
  // An older kernel's pidfds are for processes: good for a thread that shares its process's table.
  const auto shared = kernel::share_descriptors(thread, process);
  if (!shared) return shared.error();
  if (!*shared) return Error{EINVAL, "open the descriptors of a thread", {}, {}};
  return kernel::open_pidfd(process);
}

Duplicate take(const Result<Fd>& pidfd, bool stable, int remote_fd) {
  if (!pidfd) return {Fd(), false};
  auto fd = kernel::duplicate_from(pidfd->get(), remote_fd);
  if (fd) return {std::move(*fd), stable};
  const bool none = fd.error().code == EBADF;
  return {Fd(), stable && none, none};
}

}  // namespace

Duplicate duplicate_of_thread(const seccomp_notif& call, const kernel::TaskDirectory& task,
                              int remote_fd) {
  const auto status = task.status();
  if (!status) return {Fd(), false};
  const auto thread = static_cast<pid_t>(call.pid);
  const bool stable = status->threads == 1 && status->process == thread;
  return take(open_table_owner(thread, status->process), stable, remote_fd);
}

Duplicate duplicate_of(const Caller& caller, int remote_fd) {
  return duplicate_of_thread(caller.call, caller.task, remote_fd);
}

}  // namespace holdfast::backend::supervisor
