// SPDX-License-Identifier: Apache-2.0
// Which namespaces belong to the sandbox of one run; sandbox.cc explains how. One thread.
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

// The owner of a namespace that a task wants to enter. outside: it does not belong to the sandbox.
// unproven: it may belong to the sandbox or not.
enum class Ownership { outside, sandbox, unproven };

// The namespaces of a task that hold it in the sandbox.
struct Held {
  std::uint32_t types = 0;  // HF_NS_*
  bool anchored = false;    // its active pid or user namespace is one of them
};

class Sandbox {
 public:
  // on: namespaces that the tree makes belong to the sandbox.
  enum class Tracking { off, on };

  // `proc` and `tree` are borrowed and outlive the sandbox.
  Sandbox(const kernel::Proc& proc, const ProcessTree& tree, Tracking tracking)
      : proc_(proc), tree_(tree), tracking_(tracking) {}

  // Records the namespaces that the child was started in. Duplicates the descriptors.
  Result<void> start_with(const Child& child);

  // Records the namespaces that exist outside. Has to succeed before the first creation or entry is
  // allowed. After a success further calls do nothing. Errors: EMFILE too few descriptors to record
  // even this process's namespaces; those of reading /proc.
  Result<void> survey_outside();

  [[nodiscard]] bool tracks() const { return tracking_ == Tracking::on; }
  [[nodiscard]] Held held(const kernel::TaskNamespaces& task) const;
  [[nodiscard]] Ownership ownership(const kernel::NamespaceObject& target) const;
  // Was the tree started in a namespace of the sandbox of this type? (`type`: bit number of
  // HF_NS_*)
  [[nodiscard]] bool started_with(unsigned type) const { return (started_types_ >> type) & 1u; }

  // Records a namespace that the tree certainly made.
  void prove(kernel::NamespaceInode inode, Fd fd);
  // A task is about to enter a namespace whose owner is not known. record_unknown_entry(): not even
  // the namespace is known. From then on membership in a namespace proves nothing.
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
  // An open descriptor keeps the inode number of a namespace from being reused.
  using Pinned = std::unordered_map<kernel::NamespaceInode, Fd>;
  Pinned started_;
  Pinned proved_;
  Pinned outside_;
  Pinned unproven_;
};

}  // namespace holdfast::backend::supervisor

#endif  // HOLDFAST_BACKEND_SUPERVISOR_SANDBOX_H
