// SPDX-License-Identifier: Apache-2.0
// One policy's decisions about namespaces and tracing. A run has one level, and one more for each
// run inside it (nested_runs.h). Every level that holds a task decides about its calls.
#ifndef HOLDFAST_BACKEND_SUPERVISOR_LEVEL_H
#define HOLDFAST_BACKEND_SUPERVISOR_LEVEL_H

#include <functional>
#include <optional>
#include <vector>

#include "backend/backend.h"
#include "backend/calls/answer.h"
#include "backend/supervisor/calls.h"
#include "backend/supervisor/process_tree.h"
#include "backend/supervisor/sandbox.h"

namespace holdfast::backend::supervisor {

// What a level needs to know about a call, before it decides. `error`: the kernel would refuse the
// call with this errno, and no rule is about it.
struct Question {
  std::vector<PendingDecision> decisions;
  int error = 0;
};

// One thread.
class Level {
 public:
  // Receives each decision that has to be reported.
  using Report = std::function<void(const calls::DecisionRecord& asked, const hf_verdict& verdict,
                                    const hf_task& actor)>;

  // References are borrowed and outlive the level.
  Level(const hf_tables& tables, std::uint16_t profile, const kernel::Proc& proc,
        const ProcessTree& tree, const calls::SharedTables& shared, Sandbox::Tracking tracking,
        Totals& totals, Report report)
      : tables_(tables),
        number_(profile),
        proc_(proc),
        tree_(tree),
        shared_(shared),
        sandbox_(proc, tree, tracking),
        totals_(totals),
        report_(std::move(report)) {}

  [[nodiscard]] const hf_profile& profile() const { return tables_.profiles[number_]; }
  [[nodiscard]] Sandbox& sandbox() { return sandbox_; }
  [[nodiscard]] SessionView view() const { return {profile(), sandbox_, tree_, proc_, shared_}; }
  // Could a decision be a refusal?
  [[nodiscard]] bool restricts_namespaces() const;
  // Is no rule about this call, whatever the facts are? Then nothing is looked at, counted or
  // reported.
  [[nodiscard]] bool indifferent_to(const seccomp_data& call) const;
  // Does a decision about this call depend on the caller's namespaces?
  [[nodiscard]] bool needs_namespaces(const seccomp_data& call) const;
  // From now on a call whose facts cannot be read is refused, also where no rule is about it.
  void require_facts() { facts_required_ = true; }

  // Collects the facts. `namespaces` are the caller's, or anything if they are not needed. An error:
  // they could not be read. The result
  // counts only if the call still waits afterwards.
  Question ask(const seccomp_notif& call, const Result<kernel::TaskDirectory>& task,
               const Result<kernel::TaskNamespaces>& namespaces);
  // Decides, counts and reports. Returns the errno of an enforced refusal, or 0.
  int decide(const seccomp_notif& call, const Result<kernel::TaskDirectory>& task,
             Question& question);
  // No level refuses the call, so it continues now.
  void allow(Question& question);

 private:
  [[nodiscard]] hf_request common_facts(const kernel::TaskNamespaces& namespaces) const;
  [[nodiscard]] PendingDecision without_facts(const seccomp_notif& call) const;

  const hf_tables& tables_;
  std::uint16_t number_;
  const kernel::Proc& proc_;
  const ProcessTree& tree_;
  const calls::SharedTables& shared_;
  Sandbox sandbox_;
  Totals& totals_;
  Report report_;
  bool facts_required_ = false;
};

}  // namespace holdfast::backend::supervisor

#endif  // HOLDFAST_BACKEND_SUPERVISOR_LEVEL_H
