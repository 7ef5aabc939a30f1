// SPDX-License-Identifier: Apache-2.0
// The xattr calls of a session's members, on kernels whose sockets keep no labels (before Linux 7.1).
// Members label their sockets as they would on a newer kernel: holdfastd decides and keeps the labels.
//
// Nothing rests on the filter. A call that does not come here (a 32-bit one, one of a ring) is the
// kernel's, and labels no socket. When this process has ended, the calls fail with ENOSYS.
#ifndef HOLDFAST_RUN_LABEL_CALLS_H
#define HOLDFAST_RUN_LABEL_CALLS_H

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "backend/backend.h"
#include "backend/calls/attributes.h"
#include "backend/calls/shared_tables.h"
#include "base/result.h"
#include "kernel/proc/proc.h"
#include "kernel/process/seccomp.h"
#include "rpc/client.h"

namespace holdfast::run {

// Do the members' xattr calls have to be answered here? Not in a run within a run that does so: that
// one answers.
[[nodiscard]] bool needs_label_calls(const hf_profile& profile);

// One thread.
class LabelCalls {
 public:
  // `socket` is that of holdfastd.
  [[nodiscard]] static Result<std::unique_ptr<LabelCalls>> create(std::string socket);

  // What the child installs. Borrowed.
  [[nodiscard]] const sock_fprog* filter() { return filter_.finish(); }
  // From its return on the child is answered; it has proved that it asks. `session` is the id that
  // holdfastd gave.
  [[nodiscard]] Result<void> adopt(const backend::Child& child, std::uint64_t session);
  // Readable when dispatch() has something to do.
  [[nodiscard]] int poll_fd() const { return listener_->fd(); }
  // Handles what is ready, and waits for holdfastd meanwhile. Errors: of the listener.
  [[nodiscard]] Result<void> dispatch();

 private:
  LabelCalls(std::string socket, kernel::Proc proc);
  [[nodiscard]] Result<void> answer_next();
  [[nodiscard]] backend::calls::Answer answer(const seccomp_notif& call,
                                              const kernel::TaskDirectory& task);

  std::string socket_;
  kernel::Proc proc_;
  backend::calls::SharedTables shared_tables_{proc_};  // nothing is recorded
  kernel::SeccompFilter filter_;
  kernel::NamespaceInode own_user_namespace_ = kernel::kNoNamespace;
  std::unique_ptr<kernel::Listener> listener_;
  std::uint64_t session_ = 0;
  std::optional<rpc::Client> client_;  // empty: not connected
};

}  // namespace holdfast::run

#endif  // HOLDFAST_RUN_LABEL_CALLS_H
