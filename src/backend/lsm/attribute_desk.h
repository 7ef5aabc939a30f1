// SPDX-License-Identifier: Apache-2.0
// On a kernel whose sockets keep no labels: the xattr calls of the members, answered here, so that
// members label their sockets as they would on a newer one. The labels are mirrored before a call
// returns; programs decide by them.
//
// Nothing rests on the filter: a call that does not come here (a 32-bit one, one of a ring) is the
// kernel's, which labels no socket.
#ifndef HOLDFAST_BACKEND_LSM_ATTRIBUTE_DESK_H
#define HOLDFAST_BACKEND_LSM_ATTRIBUTE_DESK_H

#include <functional>
#include <memory>
#include <optional>
#include <vector>

#include "backend/backend.h"
#include "backend/lsm/session_record.h"
#include "backend/notify/attributes.h"
#include "kernel/proc.h"
#include "kernel/seccomp.h"

namespace holdfast::backend::lsm {

// One thread.
class AttributeDesk {
 public:
  // All borrowed.
  static Result<std::unique_ptr<AttributeDesk>> create(const SessionSpec& spec, std::uint64_t set,
                                                       notify::LabelMirror& mirror,
                                                       const SessionRecord& record);
  AttributeDesk(const AttributeDesk&) = delete;
  AttributeDesk& operator=(const AttributeDesk&) = delete;

  // What the child installs.
  [[nodiscard]] const sock_fprog* filter() { return filter_.finish(); }
  // From its return on the child is answered; it has proved that it asks.
  Result<void> adopt(const Child& child);
  [[nodiscard]] std::vector<int> poll_fds() const;
  // Calls `before` ahead of each answer: what was decided until then is reported first.
  Result<void> dispatch(const std::function<Result<void>()>& before);

 private:
  AttributeDesk(const SessionSpec& spec, std::uint64_t set, const SessionRecord& record,
                kernel::Proc proc);
  Result<void> answer_next();
  int judge(const seccomp_notif& call, const kernel::TaskDirectory& task, hf_request request,
            std::uint64_t cookie);
  void count(const hf_verdict& verdict) const;

  const SessionSpec& spec_;
  std::uint64_t set_;
  const SessionRecord& record_;
  kernel::Proc proc_;
  kernel::SeccompFilter filter_;
  kernel::NamespaceInode own_user_namespace_ = kernel::kNoNamespace;
  std::optional<notify::SocketLabels> labels_;
  Fd listener_fd_;
  std::optional<kernel::Listener> listener_;
};

}  // namespace holdfast::backend::lsm

#endif  // HOLDFAST_BACKEND_LSM_ATTRIBUTE_DESK_H
