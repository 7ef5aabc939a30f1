// SPDX-License-Identifier: Apache-2.0
// The BPF programs of one session: loaded together, attached together, gone together.
#ifndef HOLDFAST_BACKEND_LSM_RUN_PROGRAMS_H
#define HOLDFAST_BACKEND_LSM_RUN_PROGRAMS_H

#include <memory>
#include <vector>

#include "backend/lsm/run/session_record.h"
#include "backend/lsm/selection.h"
#include "base/fd.h"
#include "base/result.h"
#include "kernel/bpf/bpf_object.h"

namespace holdfast::backend::lsm {

// Attached until destroyed: all of what the kernel and the policy call for, or nothing. One thread.
class Programs {
 public:
  // Loads; decides nothing yet. Errors: ENOENT without type information, ENOTSUP when the kernel
  // lacks a function to attach to, what the verifier says.
  // `spec` says what the programs for sockets read; those are only there when `needs` asks for
  // them.
  static Result<std::unique_ptr<Programs>> load(const Needs& needs, const SessionSpec& spec);
  [[nodiscard]] bool decide_sockets() const { return decide_sockets_; }
  // Does the kernel keep labels of sockets? Do the programs read them from label_mirror_fd()?
  [[nodiscard]] bool kernel_labels() const { return kernel_labels_; }
  [[nodiscard]] bool mirrored() const { return mirrored_; }
  [[nodiscard]] int label_mirror_fd() const { return object_.map_fd("socket_labels"); }
  // Where user space accepts for members: what hf_see_peer saw.
  [[nodiscard]] int seen_peer_fd() const { return object_.map_fd("seen_peer"); }
  // The same: takes a token of a rule's bucket for a cgroup. No: there is none, or it cannot be
  // taken.
  [[nodiscard]] bool take_token(std::uint16_t profile, std::uint32_t rule,
                                std::uint64_t cgroup) const;

  // A policy becomes the live one of a slot (HF_TABLES_*) by one store; the map is frozen before.
  Result<void> publish(std::uint32_t slot, const hf_tables& tables) const;
  // From here on every task that asks for this slot's policy is refused.
  Result<void> withdraw(std::uint32_t slot) const;
  Result<void> attach();

  // The next fork of the calling thread makes a member.
  Result<void> arm(const hf_member& as) const;
  // The calling process is one that the confined may not signal or trace.
  Result<void> protect_caller() const;
  // Records the namespaces with these inode numbers (by bit number; 0: none), which the task has to
  // be in.
  Result<void> adopt(pid_t tid, const std::array<std::uint32_t, HF_NS_COUNT>& inodes,
                     std::uint64_t set, std::uint16_t owner) const;
  // Process numbers of all members, each once.
  [[nodiscard]] Result<std::vector<pid_t>> members() const;

  [[nodiscard]] const SessionRecord& record() const { return *record_; }
  [[nodiscard]] int events_fd() const { return object_.map_fd("events"); }

 private:
  explicit Programs(kernel::BpfObject object) : object_(std::move(object)) {}
  Result<void> attach_sysctl_guard();
  Result<void> name_labels(const LabelNames& words) const;

  kernel::BpfObject object_;
  bool decide_sockets_ = false;
  bool kernel_labels_ = false;
  bool mirrored_ = false;
  std::unique_ptr<SessionRecord> record_;
  std::vector<kernel::BpfLink> links_;
};

}  // namespace holdfast::backend::lsm

#endif  // HOLDFAST_BACKEND_LSM_RUN_PROGRAMS_H
