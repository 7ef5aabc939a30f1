// SPDX-License-Identifier: Apache-2.0
// Which namespaces belong to the sandbox of one run. One thread.
#ifndef HOLDFAST_BACKEND_SUPERVISOR_SANDBOX_H
#define HOLDFAST_BACKEND_SUPERVISOR_SANDBOX_H

#include <cstdint>
#include <unordered_map>

#include "backend/backend.h"
#include "backend/supervisor/process_tree.h"
#include "base/fd.h"
#include "base/result.h"
#include "kernel/proc/proc.h"
#include "kernel/process/namespaces.h"

namespace holdfast::backend::supervisor {

// Of a namespace that somebody wants to enter. `unproven`: nobody can say.
enum class Ownership { outside, sandbox, unproven };

// Where a task sits now.
struct Held {
  std::uint32_t types = 0;  // HF_NS_* in which it sits in the sandbox
  bool anchored = false;    // with its active pid or user namespace
};

class Sandbox {
 public:
  // Whether namespaces that the tree makes belong to the sandbox.
  enum class Tracking { off, on };

  // `proc` and `tree` are borrowed.
  Sandbox(const kernel::Proc& proc, const ProcessTree& tree, Tracking tracking)
      : proc_(proc), tree_(tree), tracking_(tracking) {}

  // The namespaces that the child was started in. Takes duplicates of the descriptors.
  Result<void> start_with(const Child& child);

  // Has to succeed before the first creation or entry is let through: records what exists outside.
  Result<void> survey_outside();

  [[nodiscard]] bool tracks() const { return tracking_ == Tracking::on; }
  [[nodiscard]] Held held(const kernel::TaskNamespaces& task) const;
  [[nodiscard]] Ownership ownership(const kernel::NamespaceObject& target) const;
  // Is every task of the tree always in a namespace of the sandbox, for this type?
  [[nodiscard]] bool started_with(unsigned type) const { return (started_types_ >> type) & 1u; }

  // A namespace that was made by the tree beyond doubt. Keeps the descriptor.
  void prove(kernel::NamespaceInode inode, Fd fd);
  // A task is about to enter a namespace that may be anybody's. Keeps the descriptor; without one,
  // what the tree sits in proves nothing any more.
  void record_ambiguous_entry(kernel::NamespaceInode inode, Fd fd);
  void record_unknown_entry() { membership_is_proof_ = false; }

 private:
  void survey_process(pid_t pid);
  void survey_mounts();
  void add_outside(kernel::NamespaceInode inode, unsigned type, Fd fd);
  [[nodiscard]] bool below_sandbox(int namespace_fd) const;
  [[nodiscard]] bool is_ours(kernel::NamespaceInode inode) const;

  const kernel::Proc& proc_;
  const ProcessTree& tree_;
  Tracking tracking_;
  bool surveyed_ = false;
  bool membership_is_proof_ = true;
  std::uint32_t started_types_ = 0;
  // Every number that is remembered is held by a descriptor, so that it cannot come to mean another
  // one.
  using Pinned = std::unordered_map<kernel::NamespaceInode, Fd>;
  Pinned started_;
  Pinned proved_;
  Pinned outside_;
  Pinned unproven_;
};

}  // namespace holdfast::backend::supervisor

#endif  // HOLDFAST_BACKEND_SUPERVISOR_SANDBOX_H
