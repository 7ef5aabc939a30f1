// SPDX-License-Identifier: Apache-2.0
//
// setns() names its target by a descriptor number. Another thread with the same descriptor table
// can put another file under that number between the decision and the call. In trials 164 of 3000
// such attempts succeeded. So the target counts as known only if the table is not shared: the
// process has one thread, and no other process may have its table
// (backend/calls/shared_tables.cc).
//
// If the table is shared, nothing about the descriptor counts, not even the type of the namespace.
// The type then comes from the second argument of setns(), a register that the kernel reads too:
// the kernel refuses a namespace of another type, and takes the types for a pidfd from it. If the
// argument is 0, the namespace may be of any type.
//
// A pidfd names a process, and its namespaces may change before the call continues. The target is
// known in one case only: the process is in the tree, the tree was started in the sandbox's
// namespace of that type, and an enforced rule keeps all its tasks there.
#include <array>
#include <bit>
#include <cerrno>

#include "backend/supervisor/calls.h"
#include "kernel/process/namespaces.h"
#include "kernel/process/process.h"

namespace holdfast::backend::supervisor {
namespace {

using Entry = PendingDecision::Entry;

// commit_nsset() of the kernel installs, and validate_nsset() checks, in this order.
constexpr std::array<unsigned, HF_NS_COUNT> kEntryOrder = {
    kernel::kUserNamespace, kernel::kMntNamespace, 1, 2, kernel::kPidNamespace, 6,
    kernel::kNetNamespace,  kernel::kTimeNamespace};
static_assert(std::countr_zero(HF_NS_UTS) == 1 && std::countr_zero(HF_NS_IPC) == 2 &&
              std::countr_zero(HF_NS_CGROUP) == 6);

PendingDecision entry(const Caller& caller, std::uint32_t type) {
  PendingDecision decision;
  decision.request = caller.common;
  decision.request.op = HF_OP_NAMESPACE_INSTALL;
  decision.request.via = HF_VIA_SETNS;
  decision.request.ns_types = type;
  decision.entry = Entry::unknown;
  return decision;
}

void set_target(PendingDecision& decision, Ownership ownership) {
  decision.request.flags |= HF_REQ_TARGET_KNOWN;
  decision.entry = Entry::proved;
  if (ownership == Ownership::outside) return;
  decision.request.target_set = decision.request.subject_set;
  decision.request.target_owner = decision.request.subject;
}

// Decisions for a descriptor that may name another object when the kernel reads it.
std::vector<PendingDecision> ask_unknown(const Caller& caller, std::uint32_t asked) {
  std::vector<PendingDecision> decisions;
  for (const unsigned type : kEntryOrder)
    if (asked & (1u << type)) decisions.push_back(entry(caller, 1u << type));
  if (decisions.empty()) decisions.push_back(entry(caller, 0));
  return decisions;
}

// `target` may be invalid if the ownership is proved.
std::vector<PendingDecision> ask_namespace(const Caller& caller, Fd target,
                                           const kernel::NamespaceObject& object,
                                           Ownership ownership, std::uint32_t asked) {
  std::vector<PendingDecision> decisions;
  const std::uint32_t type = 1u << object.type;
  if (asked != 0 && asked != type) return decisions;  // EINVAL
  PendingDecision decision = entry(caller, type);
  decision.target = object.inode;
  decision.entry = Entry::unproven;
  if (ownership == Ownership::unproven)
    decision.target_fd = std::move(target);
  else
    set_target(decision, ownership);
  decisions.push_back(std::move(decision));
  return decisions;
}

// Is every task of the tree in the sandbox for this type, now and until the call continues?
bool tree_stays_inside(const SessionView& view, unsigned type) {
  return view.profile.mode == HF_MODE_ENFORCE && view.profile.ns_enter != HF_ENTER_ANY &&
         view.sandbox.started_with(type);
}

std::vector<PendingDecision> ask_process(const SessionView& view, const Caller& caller, pid_t pid,
                                         std::uint32_t asked) {
  bool member = false;
  if (pid > 0)
    if (const auto task = view.proc.task(pid)) member = view.tree.contains(*task);
  std::vector<PendingDecision> decisions;
  for (const unsigned type : kEntryOrder) {
    if (!(asked & (1u << type))) continue;
    PendingDecision decision = entry(caller, 1u << type);
    if (member && tree_stays_inside(view, type)) set_target(decision, Ownership::sandbox);
    decisions.push_back(std::move(decision));
  }
  return decisions;
}

}  // namespace

std::vector<PendingDecision> decisions_of_entry(const SessionView& view, const Caller& caller) {
  const int fd = static_cast<int>(caller.call.data.args[0]);
  const std::uint32_t flags = static_cast<std::uint32_t>(caller.call.data.args[1]);
  const std::uint32_t asked = kernel::types_from_clone_flags(flags);
  const bool own = has_own_table(caller.call, caller.task, view.tables);
  if (own) {
    if (const auto object = caller.task.descriptor_namespace(fd)) {
      const Ownership ownership = view.sandbox.ownership(*object);
      if (ownership != Ownership::unproven)
        return ask_namespace(caller, Fd(), *object, ownership, asked);
    }
  }
  // A file that a process serves, as with FUSE. The kernel refuses it without asking the process.
  if (own && caller.task.names_served_file(fd)) return {};  // EINVAL
  Duplicate target = own ? duplicate_of(view, caller, fd) : Duplicate{Fd(), false};
  if (!target.stable) return ask_unknown(caller, asked);
  if (!target.fd) return {};  // the kernel will return EBADF
  const int target_fd = target.fd.get();
  if (const auto object = kernel::identify_namespace(target_fd))
    return ask_namespace(caller, std::move(target.fd), *object, view.sandbox.ownership(*object),
                         asked);
  const auto process = view.proc.process_of_pidfd(target_fd);
  if (process && asked != 0) return ask_process(view, caller, *process, asked);
  return {};  // EINVAL
}

}  // namespace holdfast::backend::supervisor
