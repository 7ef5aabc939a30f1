// SPDX-License-Identifier: Apache-2.0
//
// setns() names its target by a descriptor, and a descriptor is a number in a table that others may
// share: in trials, swapping it between the decision and the call got 164 of 3000 attempts through.
// So a target counts as known only when nobody but the blocked thread can change the table. The
// filter refuses CLONE_FILES without CLONE_THREAD, so all sharers are threads of one process, and
// one thread means none.
//
// Of any other descriptor nothing that a look could tell counts, not even of what type it is. The
// type then comes from the register that the kernel reads too: setns() refuses a namespace of
// another type than its second argument, and takes the types of a pidfd from it. Only 0 leaves the
// type to the descriptor, which is then of every type.
//
// A pidfd names a process, whose namespaces may change at any time before the call continues. Its
// target is known in one case: the process is of this tree, and every task of the tree is in the
// sandbox for that type at all times, because the tree was started in it and its rule keeps
// everybody there.
#include <array>
#include <bit>
#include <cerrno>

#include "backend/supervisor/calls.h"
#include "kernel/process/namespaces.h"
#include "kernel/process/process.h"

namespace holdfast::backend::supervisor {
namespace {

using Entry = Question::Entry;

// commit_nsset() of the kernel installs, and validate_nsset() checks, in this order.
constexpr std::array<unsigned, HF_NS_COUNT> kEntryOrder = {
    kernel::kUserNamespace, kernel::kMntNamespace, 1, 2, kernel::kPidNamespace, 6,
    kernel::kNetNamespace,  kernel::kTimeNamespace};
static_assert(std::countr_zero(HF_NS_UTS) == 1 && std::countr_zero(HF_NS_IPC) == 2 &&
              std::countr_zero(HF_NS_CGROUP) == 6);

Question entry(const Caller& caller, std::uint32_t type) {
  Question question;
  question.request = caller.common;
  question.request.hook = HF_HOOK_NAMESPACE_INSTALL;
  question.request.way = HF_WAY_SETNS;
  question.request.ns_types = type;
  question.entry = Entry::unknown;
  return question;
}

void set_target(Question& question, Belonging belonging) {
  question.request.flags |= HF_REQ_TARGET_KNOWN;
  question.entry = Entry::proved;
  if (belonging == Belonging::outside) return;
  question.request.target_set = question.request.subject_set;
  question.request.target_owner = question.request.subject;
}

// One that may name another object when the kernel looks.
std::vector<Question> ask_unknown(const Caller& caller, std::uint32_t asked) {
  std::vector<Question> questions;
  for (const unsigned type : kEntryOrder)
    if (asked & (1u << type)) questions.push_back(entry(caller, 1u << type));
  if (questions.empty()) questions.push_back(entry(caller, 0));
  return questions;
}

std::vector<Question> ask_namespace(const Scene& scene, const Caller& caller, Fd target,
                                    const kernel::NamespaceObject& object, std::uint32_t asked) {
  std::vector<Question> questions;
  const std::uint32_t type = 1u << object.type;
  if (asked != 0 && asked != type) return questions;  // EINVAL
  Question question = entry(caller, type);
  question.target = object.inode;
  const Belonging belonging = scene.sandbox.belonging(object);
  question.entry = Entry::unproven;
  if (belonging == Belonging::unproven)
    question.target_fd = std::move(target);
  else
    set_target(question, belonging);
  questions.push_back(std::move(question));
  return questions;
}

// Is every task of the tree in the sandbox for this type, now and until the call continues?
bool tree_stays_inside(const Scene& scene, unsigned type) {
  return scene.profile.mode == HF_MODE_ENFORCE && scene.profile.ns_enter != HF_ENTER_ANY &&
         scene.sandbox.started_with(type);
}

std::vector<Question> ask_process(const Scene& scene, const Caller& caller, pid_t pid,
                                  std::uint32_t asked) {
  bool member = false;
  if (pid > 0)
    if (const auto task = scene.proc.task(pid)) member = scene.tree.contains(*task);
  std::vector<Question> questions;
  for (const unsigned type : kEntryOrder) {
    if (!(asked & (1u << type))) continue;
    Question question = entry(caller, 1u << type);
    if (member && tree_stays_inside(scene, type)) set_target(question, Belonging::sandbox);
    questions.push_back(std::move(question));
  }
  return questions;
}

}  // namespace

std::vector<Question> ask_entry(const Scene& scene, const Caller& caller) {
  const int fd = static_cast<int>(caller.call.data.args[0]);
  const std::uint32_t flags = static_cast<std::uint32_t>(caller.call.data.args[1]);
  const std::uint32_t asked = kernel::types_from_clone_flags(flags);
  Duplicate target = duplicate_of(caller, fd);
  if (!target.stable) return ask_unknown(caller, asked);
  if (!target.fd) return {};  // EBADF, whatever happens meanwhile
  const int target_fd = target.fd.get();
  if (const auto object = kernel::identify_namespace(target_fd))
    return ask_namespace(scene, caller, std::move(target.fd), *object, asked);
  const auto process = scene.proc.process_of_pidfd(target_fd);
  if (process && asked != 0) return ask_process(scene, caller, *process, asked);
  return {};  // EINVAL
}

}  // namespace holdfast::backend::supervisor
