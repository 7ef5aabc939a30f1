// SPDX-License-Identifier: Apache-2.0
#include "backend/supervisor/level.h"

#include <sys/syscall.h>

#include "backend/calls/caller.h"
#include "backend/supervisor/filter.h"
#include "core/counters.h"
#include "core/decide.h"

namespace holdfast::backend::supervisor {
namespace {

std::uint16_t hook_of(int number) {
  switch (number) {
    case SYS_setns:
      return HF_OP_NAMESPACE_INSTALL;
    case SYS_ptrace:
    case SYS_process_vm_readv:
    case SYS_process_vm_writev:
    case SYS_pidfd_getfd:
      return HF_OP_TRACE;
    default:
      return HF_OP_NAMESPACE_ALLOC;
  }
}

}  // namespace

bool Level::restricts_namespaces() const {
  return facts_required_ || confines(profile()) || sandbox_.tracks() || tables_.any_visitors_deny;
}

bool Level::indifferent_to(const seccomp_data& call) const {
  if (facts_required_ || sandbox_.tracks() || profile().log == HF_LOG_ALL) return false;
  switch (hook_of(call.nr)) {
    case HF_OP_NAMESPACE_INSTALL:
      return profile().ns_enter == HF_ENTER_ANY && !tables_.any_visitors_deny;
    case HF_OP_NAMESPACE_ALLOC:
      return profile().ns_create == HF_NS_ALL;
    default:
      return false;
  }
}

bool Level::needs_namespaces(const seccomp_data& call) const {
  return facts_required_ || sandbox_.tracks() || hook_of(call.nr) != HF_OP_NAMESPACE_ALLOC;
}

hf_request Level::common_facts(const kernel::TaskNamespaces& namespaces) const {
  const Held held = sandbox_.held(namespaces);
  hf_request request = {};
  request.subject = number_;
  request.subject_set = kOnlySet;
  request.held_types = held.types;
  if (held.types != 0) {
    request.held_set = kOnlySet;
    request.held_owner = number_;
  }
  if (held.anchored) request.flags |= HF_REQ_HELD_ANCHORED;
  return request;
}

PendingDecision Level::without_facts(const seccomp_notif& call) const {
  PendingDecision decision;
  decision.request.op = hook_of(call.data.nr);
  decision.request.subject = number_;
  decision.request.subject_set = kOnlySet;
  decision.request.flags = HF_REQ_FACTS_MISSING;
  return decision;
}

Question Level::ask(const seccomp_notif& call, const Result<kernel::TaskDirectory>& task,
                    const Result<kernel::TaskNamespaces>& namespaces) {
  Question question;
  if (!sandbox_.survey_outside() || !task || !namespaces) {
    // The namespaces of an undumpable process of the same user cannot be read. Nothing depends on
    // them if the profile restricts none.
    if (!task || namespaces || restricts_namespaces())
      question.decisions.push_back(without_facts(call));
    return question;
  }
  const hf_request common = common_facts(*namespaces);
  const Caller caller{call, *task, *namespaces, common};
  switch (hook_of(call.data.nr)) {
    case HF_OP_NAMESPACE_INSTALL:
      question.decisions = decisions_of_entry(view(), caller);
      break;
    case HF_OP_TRACE: {
      auto trace = decision_of_trace(view(), caller);
      if (!trace)
        question.error = trace.error().code;
      else
        question.decisions.push_back(std::move(*trace));
      break;
    }
    default: {
      auto creation = decisions_of_creation(caller);
      if (!creation)
        question.error = creation.error().code;
      else if (*creation)
        question.decisions.push_back(std::move(**creation));
    }
  }
  return question;
}

int Level::decide(const seccomp_notif& call, const Result<kernel::TaskDirectory>& task,
                  Question& question) {
  std::optional<hf_task> actor;
  for (const PendingDecision& decision : question.decisions) {
    hf_verdict verdict;
    hf_decide(&tables_, &decision.request, &verdict);
    hf_count_decision(&totals_, &verdict);
    if (verdict.log) {
      if (!actor) {
        actor = task ? calls::describe_task(*task).value_or(hf_task{}) : hf_task{};
        actor->pid = call.pid;
      }
      report_({.request = decision.request, .target = decision.target, .object = decision.object},
              verdict, *actor);
    }
    if (const int error = -hf_enforced_error(&verdict)) return error;
  }
  return 0;
}

void Level::allow(Question& question) {
  for (PendingDecision& decision : question.decisions) {
    if (decision.entry == PendingDecision::Entry::unproven)
      sandbox_.record_ambiguous_entry(decision.target, std::move(decision.target_fd));
    if (decision.entry == PendingDecision::Entry::unknown) sandbox_.record_unknown_entry();
  }
}

}  // namespace holdfast::backend::supervisor
