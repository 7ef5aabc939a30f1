// SPDX-License-Identifier: Apache-2.0
// The cgroup rules of a run. The tree's Landlock domain forbids it to open cgroup files for
// writing, so the supervisor opens and writes them for it. docs/internals.md, "Moves in a run", says why this
// cannot be evaded.
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
#include "kernel/files/answered_files.h"

namespace holdfast::backend::supervisor {

using namespace calls;

// Does the profile limit moves between cgroups? Only then does a run use this file.
[[nodiscard]] bool protects_cgroups(const hf_profile& profile);

[[nodiscard]] bool is_cgroup_call(int number);
// Of these calls: does it open a file?
[[nodiscard]] bool opens_file(int number);

// Decides, counts and reports a move. Returns the errno of an enforced refusal, or 0.
using JudgeMove = std::function<int(const DecisionRecord&)>;

// What a call says by its memory and its paths. A task of the tree may serve both, and never answer.
struct CgroupLook {
  Fd file = {};   // O_PATH, of the unified hierarchy. Invalid: the call is about another file
  int flags = 0;  // of an open
  Result<std::string> text = Error{EFAULT, "read", {}, {}};  // of a write

  // Reads the caller's memory once, and follows the path of an open. `answered` as in
  // CgroupFileHandler::create(). Any thread; may wait.
  void read(const seccomp_data& call, const kernel::TaskDirectory& task,
            const kernel::TaskMemory& memory, const kernel::AnsweredFiles* answered);
};

// Makes the moves that the policy allows, and opens other cgroup files for the caller. Used on the
// session's thread only.
class CgroupFileHandler {
 public:
  // All arguments are borrowed and outlive the handler. If a rule depends on delegation, records
  // the subtrees that are delegated now. `answered` may be null: then short writes have to be
  // notified. Errors: those of reading the hierarchy.
  static Result<CgroupFileHandler> create(const SessionSpec& spec, kernel::CgroupMounts& mounts,
                                          const kernel::Proc& proc,
                                          kernel::AnsweredFiles* answered);

  // Begins an open for writing or a short write. Waits for nothing. Empty: the call is not about a
  // cgroup file, and the kernel may perform it. If this is a mistake, Landlock refuses the open.
  [[nodiscard]] std::optional<CgroupLook> begin(const seccomp_data& call,
                                                const kernel::TaskDirectory& task) const;
  // Answers the call after CgroupLook::read(). Empty as above.
  [[nodiscard]] std::optional<Answer> handle(const SessionView& view, const seccomp_notif& call,
                                             const kernel::TaskDirectory& task,
                                             const CgroupLook& look,
                                             const std::function<bool()>& waiting,
                                             const JudgeMove& judge);
  // The answer to a read or a write of a file that this handler opened by `answered`. `task` is the
  // thread that waits for it; `call` has its number and nothing else.
  [[nodiscard]] Answer write(const SessionView& view, const seccomp_notif& call,
                             const kernel::TaskDirectory& task,
                             const kernel::AnsweredFiles::Asked& asked, const JudgeMove& judge);
  [[nodiscard]] Result<std::string> read(const SessionView& view, const kernel::TaskDirectory& task,
                                         const kernel::AnsweredFiles::Asked& asked) const;
  // The Landlock ruleset covers the mounts that existed at the start. If a process outside mounts a
  // cgroup hierarchy later, the tree may open its files for writing. Then each open for writing has to
  // be handled, and is refused.
  [[nodiscard]] bool ruleset_has_hole();

 private:
  struct Credentials {
    kernel::FileCredentials file;
    kernel::NamespaceInode user;
    kernel::NamespaceInode cgroup;

    bool operator==(const Credentials&) const = default;
  };
  class Attempt;

  CgroupFileHandler(const SessionSpec& spec, kernel::CgroupMounts& mounts, Credentials own,
                    kernel::AnsweredFiles* answered)
      : spec_(spec), mounts_(mounts), own_(std::move(own)), answered_(answered) {}
  static Result<Credentials> credentials(const kernel::TaskDirectory& task);

  const SessionSpec& spec_;
  kernel::CgroupMounts& mounts_;
  Credentials own_;
  kernel::AnsweredFiles* answered_;
  std::vector<std::string> delegated_;
  bool warned_of_hole_ = false;
};

}  // namespace holdfast::backend::supervisor

#endif  // HOLDFAST_BACKEND_SUPERVISOR_CGROUP_FILES_H
