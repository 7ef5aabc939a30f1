// SPDX-License-Identifier: Apache-2.0
// Cgroup rules of a run: the tree cannot open a file of a cgroup for writing, and asks here.
#ifndef HOLDFAST_BACKEND_SUPERVISOR_CGROUP_FILES_H
#define HOLDFAST_BACKEND_SUPERVISOR_CGROUP_FILES_H

#include <linux/seccomp.h>

#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "backend/backend.h"
#include "backend/calls/answer.h"
#include "backend/supervisor/calls.h"
#include "kernel/cgroup/cgroup_files.h"

namespace holdfast::backend::supervisor {

using namespace calls;

// Does the profile say who may move tasks? Then the tree gets the shape "cgroups protected".
[[nodiscard]] bool protects_cgroups(const hf_profile& profile);

[[nodiscard]] bool is_cgroup_call(int number);

// Decides, counts, reports. The errno of an enforced refusal, or 0.
using JudgeMove = std::function<int(const DecisionRecord&)>;

// Makes the moves that the policy allows, and opens the other files of cgroups. One thread.
class CgroupFileHandler {
 public:
  // All borrowed. Records which subtrees are delegated now, if a rule depends on it. Errors: what
  // reading the hierarchy gave.
  static Result<CgroupFileHandler> create(const SessionSpec& spec, kernel::CgroupMounts& mounts,
                                          const kernel::Proc& proc);

  // Nothing: the call is about something else. Landlock refuses what is let through in error.
  [[nodiscard]] std::optional<Answer> handle(const SessionView& view, const seccomp_notif& call,
                                             const kernel::TaskDirectory& task,
                                             const std::function<bool()>& waiting,
                                             const JudgeMove& judge);

 private:
  struct Credentials {
    kernel::FileCredentials file;
    kernel::NamespaceInode user;
    kernel::NamespaceInode cgroup;

    bool operator==(const Credentials&) const = default;
  };
  class Attempt;

  CgroupFileHandler(const SessionSpec& spec, kernel::CgroupMounts& mounts, Credentials own)
      : spec_(spec), mounts_(mounts), own_(std::move(own)) {}
  static Result<Credentials> credentials(const kernel::TaskDirectory& task);
  [[nodiscard]] bool ruleset_has_hole();

  const SessionSpec& spec_;
  kernel::CgroupMounts& mounts_;
  Credentials own_;
  std::vector<std::string> delegated_;
  bool warned_of_hole_ = false;
};

}  // namespace holdfast::backend::supervisor

#endif  // HOLDFAST_BACKEND_SUPERVISOR_CGROUP_FILES_H
