// SPDX-License-Identifier: Apache-2.0
// The process that outlives holdfast.
//
// A link of an unpinned BPF program dies with its last descriptor: when holdfast is killed,
// enforcement would end and the workload would run on unenforced. The guardian is forked after
// everything is attached and so shares all descriptors. When holdfast dies in any way, it forbids
// members to fork, kills them all, and only when none is left does it exit, and with it the last
// links.
#ifndef HOLDFAST_BACKEND_LSM_RUN_GUARDIAN_H
#define HOLDFAST_BACKEND_LSM_RUN_GUARDIAN_H

#include <sys/types.h>

#include "backend/lsm/run/programs.h"
#include "base/fd.h"
#include "base/result.h"

namespace holdfast::backend::lsm {

// Members may not fork from here on, and every one is killed. Returns true when none is left, false
// when some are still dying after `patience_ms`.
Result<bool> kill_members(const Programs& programs, int patience_ms);

// The guardian as holdfast sees it. Dismissed when destroyed.
class Guardian {
 public:
  // The calling thread has to be the process's only one. Errors: of fork(2) and pidfd_open(2).
  static Result<Guardian> start(const Programs& programs);
  Guardian(Guardian&& other) noexcept
      : pid_(std::exchange(other.pid_, -1)), pidfd_(std::move(other.pidfd_)) {}
  Guardian& operator=(Guardian&&) = delete;
  ~Guardian();

  // Readable when the guardian has died: nobody would end the workload if holdfast died too.
  [[nodiscard]] int pidfd() const { return pidfd_.get(); }

  // It stays when this object goes, and ends the members once holdfast has exited.
  void leave_on_duty();

 private:
  Guardian(pid_t pid, Fd pidfd) : pid_(pid), pidfd_(std::move(pidfd)) {}

  pid_t pid_ = -1;
  Fd pidfd_;
};

}  // namespace holdfast::backend::lsm

#endif  // HOLDFAST_BACKEND_LSM_RUN_GUARDIAN_H
