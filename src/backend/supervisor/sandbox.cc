// SPDX-License-Identifier: Apache-2.0
//
// The supervisor lets unshare() and clone() continue and never sees which namespace came of it. So
// it does not keep a list of what the tree made. It keeps the list of what the tree did not make,
// and reasons:
//
//   A task of the tree sits in a namespace because it was started in it, because it or an ancestor
//   made it, or because it or an ancestor entered it. Before the first creation or entry is let
//   through, every namespace that exists is recorded as outside (but for those the tree was started
//   in with --unshare). Whatever a task sits in later that is not recorded was made by the tree, or
//   outside after that moment and then entered.
//
// Being held errs on the strict side: a task in any namespace that is not recorded as outside is
// held.
//
// Being a permitted target needs proof, since here strict means "not ours". A namespace is the
// sandbox's when
//   - the tree was started in it, or
//   - a task was seen to come out of unshare() with it (session.cc), or
//   - a task of the tree sits in it now, and nobody ever entered a namespace that could not be
//   told.
// A namespace that a free task enters and that falls under neither list is recorded as unproven: it
// may be the sandbox's and may be somebody's, so being in it holds and nobody held may enter it.
//
// Numbers of namespaces are reused once one is gone. Every remembered number is pinned by a
// descriptor.
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

// Beyond these, namespaces outside stay unrecorded, and so count as unproven: stricter, never
// looser.
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
    auto object = kernel::identify_namespace(child.namespace_fd[type]);
    if (!object) return object.error();
    auto fd = kernel::duplicate(child.namespace_fd[type]);
    if (!fd) return fd.error();
    started_.insert_or_assign(object->inode, std::move(*fd));
    started_types_ |= 1u << type;
  }
  return {};
}

Result<void> Sandbox::survey_outside() {
  if (surveyed_ || tracking_ == Tracking::off) return {};
  survey_process(::getpid());
  auto own = proc_.task(::getpid());
  auto own_namespaces = own ? own->namespaces() : Result<kernel::TaskNamespaces>(own.error());
  if (!own_namespaces) return own_namespaces.error();
  for (const auto inode : own_namespaces->link)
    if (inode != kernel::kNoNamespace && !outside_.contains(inode))
      return Error{EMFILE, "record the namespaces outside", {}, "raise the limit on open files"};
  for (const pid_t pid : proc_.processes()) survey_process(pid);
  survey_mounts();
  surveyed_ = true;
  return {};
}

// Processes that this user may not look into stay out: their namespaces are then unproven.
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

// Namespaces without a process, kept by a bind mount: ip-netns(8).
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
  if (!object || object->inode != inode) return;  // the process moved on meanwhile
  if (nests(type) && below_sandbox(fd.get())) return;
  if (outside_.size() < kMaxOutside) outside_.emplace(inode, std::move(fd));
}

// Somebody outside may have made a namespace below one that the tree was started in.
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
    const auto namespaces = task.namespaces();
    return namespaces &&
           std::ranges::find(namespaces->link, target.inode) != namespaces->link.end() &&
           tree_.contains(task);
  });
  return inhabited ? Ownership::sandbox : Ownership::unproven;
}

void Sandbox::prove(kernel::NamespaceInode inode, Fd fd) {
  // Forgetting is safe: it only means that a later entry needs other proof.
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
