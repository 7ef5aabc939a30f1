// SPDX-License-Identifier: Apache-2.0
// Calls of the members that are answered here:
//
// the xattr calls, on a kernel whose sockets keep no labels, so that members label their sockets as
// they would on a newer one: the labels are mirrored before a call returns, and programs decide by
// them; and accepts, where they inherit labels or depend on the peer's (backend/calls/accepts.h).
//
// Nothing rests on the filter: a call that does not come here (a 32-bit one, one of a ring) is the
// kernel's. It labels no socket, and programs decide an accept then: they refuse one that depends
// on the peer, and let the accepted socket be decided by what it would have inherited.
#ifndef HOLDFAST_BACKEND_LSM_RUN_SYSCALL_EMULATOR_H
#define HOLDFAST_BACKEND_LSM_RUN_SYSCALL_EMULATOR_H

#include <functional>
#include <memory>
#include <optional>
#include <vector>

#include "backend/backend.h"
#include "backend/calls/accepts.h"
#include "backend/calls/attributes.h"
#include "backend/calls/jobs.h"
#include "backend/lsm/run/programs.h"
#include "backend/lsm/run/session_record.h"
#include "kernel/cgroup/cgroup_files.h"
#include "kernel/proc/proc.h"
#include "kernel/process/seccomp.h"

namespace holdfast::backend::lsm {

// One thread.
class SyscallEmulator {
 public:
  // What of it the session needs. All borrowed.
  static Result<std::unique_ptr<SyscallEmulator>> create(const SessionSpec& spec, std::uint64_t set,
                                                         calls::LabelMirror& mirror,
                                                         const Programs& programs);
  SyscallEmulator(const SyscallEmulator&) = delete;
  SyscallEmulator& operator=(const SyscallEmulator&) = delete;

  // What the child installs.
  [[nodiscard]] const sock_fprog* filter() { return filter_.finish(); }
  // From its return on the child is answered; it has proved that it asks.
  Result<void> adopt(const Child& child);
  [[nodiscard]] std::vector<int> poll_fds() const;
  // Calls `before` ahead of each answer: what was decided until then is reported first.
  Result<void> dispatch(const std::function<Result<void>()>& before);

 private:
  SyscallEmulator(const SessionSpec& spec, std::uint64_t set, const Programs& programs,
                  kernel::Proc proc);
  Result<void> open_accepts(const Child& child);
  Result<void> answer_next();
  calls::Answer answer_attributes(const seccomp_notif& call, const kernel::TaskDirectory& task);
  int judge(const seccomp_notif& call, const kernel::TaskDirectory& task, hf_request request,
            std::uint64_t cookie);
  [[nodiscard]] bool has_token(const hf_verdict& verdict, const kernel::TaskDirectory& task) const;

  const SessionSpec& spec_;
  std::uint64_t set_;
  const Programs& programs_;
  const SessionRecord& record_;
  kernel::Proc proc_;
  // Nothing is recorded: what depends on a shared table is decided by BPF programs.
  calls::SharedTables shared_tables_{proc_};
  kernel::SeccompFilter filter_;
  kernel::NamespaceInode own_user_namespace_ = kernel::kNoNamespace;
  std::optional<kernel::CgroupMounts> cgroups_;  // where accepts may have a rate
  std::optional<calls::SocketLabels> labels_;
  std::unique_ptr<kernel::Listener> listener_;
  std::unique_ptr<calls::Peers> peers_;
  std::optional<calls::Jobs> jobs_;              // with accepts_
  std::optional<calls::AcceptHandler> accepts_;  // none: the kernel makes them
};

// Does the profile need any of it on this kernel?
[[nodiscard]] bool needs_syscall_emulator(const SessionSpec& spec, const Programs& programs);

}  // namespace holdfast::backend::lsm

#endif  // HOLDFAST_BACKEND_LSM_RUN_SYSCALL_EMULATOR_H
