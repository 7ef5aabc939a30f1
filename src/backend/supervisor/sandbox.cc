// SPDX-License-Identifier: Apache-2.0
//
// Problem. A rule such as `enter = "own"` lets a task enter only namespaces of its own sandbox. So
// for each namespace the supervisor has to know whether the tree made it. But the supervisor lets
// the kernel perform unshare() and clone(), and a seccomp notification has no second event with the
// result. So the supervisor never learns which namespace a task made.
//
// Example. The tree runs `unshare --net sleep 60`, then a second task calls setns() with
// /proc/PID/ns/net of the sleep. That has to work. If PID is a process outside, it has to fail.
//
// Idea. The supervisor does not list the namespaces that the tree made. It lists the ones that the
// tree did not make. Before the first creation or entry is allowed, every existing namespace is
// recorded as outside, except those that the tree was started in (--unshare). A task is in a
// namespace for one of three reasons: it was started in it, it or an ancestor made it, or it or an
// ancestor entered it. So a namespace of a task that is not recorded as outside was made by the
// tree, or was made outside later and then entered by the tree.
//
// Two questions are asked, and each has its own safe side:
//
//   - Is this task held? It is, if it is in any namespace that is not recorded as outside. In doubt
//     a task is held.
//   - May a held task enter this namespace? Only with a proof that it belongs to the sandbox. In
//     doubt it may not. There are three proofs:
//       1. the tree was started in it, or
//       2. a task was in it right after its unshare() (session.cc, observe_creation()), or
//       3. a member of the tree is in it now, and no member ever entered a namespace that could not
//          be identified.
//
// A task that is not held may enter a namespace that is on neither list. Such a namespace is
// recorded as unproven, since it may belong to the sandbox or to a process outside. A task in it is
// held, and a held task may not enter it.
//
// The kernel reuses the inode number of a namespace once the namespace is gone. So an open
// descriptor pins every recorded number.
//
// Cost. One walk of /proc before the first creation or entry, and a descriptor for each namespace
// outside. After unshare() the supervisor watches the caller for at most 2 ms, to get proof 2. If
// that fails, proof 3 is left, which walks the tree for each setns().
//
// Alternatives. The supervisor could perform unshare() itself, but only a task can change its own
// namespaces. It could trace the tree with ptrace and read the result at the exit of the call, but
// then no task of the tree could be debugged, and every call of the tree would be slower. The lsm
// backend records the creator of each namespace inside the kernel; that needs privileges.
#include "backend/supervisor/sandbox.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <string>

#include "kernel/proc/mount_table.h"
#include "kernel/process/process.h"

namespace holdfast::backend::supervisor {
namespace {

// A namespace outside that finds no room here counts as unproven, which is stricter, never looser.
constexpr std::size_t kMaxOutside = 8192;
constexpr std::size_t kMaxUnproven = 256;
constexpr std::size_t kMaxProved = 256;

bool nests(unsigned type) {
  return type == kernel::kPidNamespace || type == kernel::kUserNamespace;
}

}  // namespace

Result<void> Sandbox::start_with(const Child& child) {
  for (unsigned type = 0; type < kernel::kNamespaceTypeCount; type++) {
    if (child.namespace_fd[type] < 0) continue;
    HF_TRY_ASSIGN(auto object, kernel::identify_namespace(child.namespace_fd[type]));
    HF_TRY_ASSIGN(auto fd, kernel::duplicate(child.namespace_fd[type]));
    started_.insert_or_assign(object.inode, std::move(fd));
    started_types_ |= 1u << type;
  }
  return {};
}

Result<void> Sandbox::survey_outside() {
  if (surveyed_ || tracking_ == Tracking::off) return {};
  survey_process(::getpid());
  auto own = proc_.task(::getpid());
  HF_TRY_ASSIGN(auto own_namespaces,
                own ? own->namespaces() : Result<kernel::TaskNamespaces>(own.error()));
  for (const auto inode : own_namespaces.link)
    if (inode != kernel::kNoNamespace && !outside_.contains(inode))
      return Error{EMFILE, "record the namespaces outside", {}, "raise the limit on open files"};
  for (const pid_t pid : proc_.processes()) survey_process(pid);
  survey_mounts();
  surveyed_ = true;
  return {};
}

// Skips processes that this user may not inspect. Their namespaces then count as unproven.
void Sandbox::survey_process(pid_t pid) {
  const auto task = proc_.task(pid);
  if (!task) return;
  const auto found = task->namespaces();
  if (!found) return;
  for (std::size_t link = 0; link < kernel::kNamespaceLinkCount; link++) {
    const kernel::NamespaceInode inode = found->link[link];
    if (inode == kernel::kNoNamespace || inode == kernel::kNamespaceWithoutInit) continue;
    if (is_ours(inode) || outside_.contains(inode)) continue;
    auto fd = task->open_namespace(link);
    if (fd) add_outside(inode, kernel::type_of_link(link), std::move(*fd));
  }
}

// Finds namespaces without a process that a bind mount keeps alive, as ip-netns(8) makes them.
void Sandbox::survey_mounts() {
  const auto mounts = kernel::mount_table();
  if (!mounts) return;
  for (const kernel::MountEntry& mount : *mounts) {
    if (mount.type != "nsfs") continue;
    auto fd = kernel::open_namespace_file(mount.point);
    if (!fd) continue;
    const auto object = kernel::identify_namespace(fd->get());
    if (!object || is_ours(object->inode) || outside_.contains(object->inode)) continue;
    add_outside(object->inode, object->type, std::move(*fd));
  }
}

void Sandbox::add_outside(kernel::NamespaceInode inode, unsigned type, Fd fd) {
  const auto object = kernel::identify_namespace(fd.get());
  if (!object || object->inode != inode) return;  // the process has entered another one since
  if (nests(type) && below_sandbox(fd.get())) return;
  if (outside_.size() < kMaxOutside) outside_.emplace(inode, std::move(fd));
}

// Is the namespace a descendant of one that the tree was started in? A process outside may have
// made it.
bool Sandbox::below_sandbox(int namespace_fd) const {
  auto parent = kernel::parent_namespace(namespace_fd);
  while (parent) {
    const auto object = kernel::identify_namespace(parent->get());
    if (!object || is_ours(object->inode)) return true;
    parent = kernel::parent_namespace(parent->get());
  }
  return false;
}

bool Sandbox::is_ours(kernel::NamespaceInode inode) const {
  return started_.contains(inode) || proved_.contains(inode);
}

Held Sandbox::held(const kernel::TaskNamespaces& task) const {
  Held held;
  if (tracking_ == Tracking::off) return held;
  for (std::size_t link = 0; link < kernel::kNamespaceLinkCount; link++) {
    const kernel::NamespaceInode inode = task.link[link];
    if (inode == kernel::kNoNamespace || outside_.contains(inode)) continue;
    held.types |= 1u << kernel::type_of_link(link);
    if (link == kernel::kPidNamespace || link == kernel::kUserNamespace) held.anchored = true;
  }
  return held;
}

Ownership Sandbox::ownership(const kernel::NamespaceObject& target) const {
  if (is_ours(target.inode)) return Ownership::sandbox;
  if (tracking_ == Tracking::off || outside_.contains(target.inode)) return Ownership::outside;
  if (!membership_is_proof_ || unproven_.contains(target.inode)) return Ownership::unproven;
  const bool inhabited = tree_.any([&](const kernel::TaskDirectory& task) {
    return task.is_in(target.inode, target.type) && tree_.contains(task);
  });
  return inhabited ? Ownership::sandbox : Ownership::unproven;
}

void Sandbox::prove(kernel::NamespaceInode inode, Fd fd) {
  // Clearing is safe: a later entry then needs another proof.
  if (proved_.size() >= kMaxProved) proved_.clear();
  if (!outside_.contains(inode)) proved_.insert_or_assign(inode, std::move(fd));
}

void Sandbox::record_ambiguous_entry(kernel::NamespaceInode inode, Fd fd) {
  if (unproven_.size() < kMaxUnproven)
    unproven_.insert_or_assign(inode, std::move(fd));
  else
    membership_is_proof_ = false;
}

}  // namespace holdfast::backend::supervisor
