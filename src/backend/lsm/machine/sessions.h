// SPDX-License-Identifier: Apache-2.0
// Sessions in the machine-wide programs (core/layers.h): each has a slot with its policy, and
// members by descent.
#ifndef HOLDFAST_BACKEND_LSM_MACHINE_SESSIONS_H
#define HOLDFAST_BACKEND_LSM_MACHINE_SESSIONS_H

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "backend/lsm/machine/machine_programs.h"
#include "backend/machine.h"
#include "base/fd.h"
#include "base/result.h"
#include "core/layers.h"
#include "core/machine_labels.h"

namespace holdfast::backend::lsm {

// A policy of sessions, as entries of the maps. Sessions with equal policies share one.
struct SessionPolicy {
  std::uint64_t generation = 0;
  Fd tables;
  SocketPolicy sockets;
  CgroupPaths paths;  // none, if no rule is about moves between cgroups
  PolicyNeeds needs;
};

// One thread.
class MachineSessions {
 public:
  // Borrows the programs. Finds the sessions that a process before this one has left.
  [[nodiscard]] static Result<std::unique_ptr<MachineSessions>> find(MachinePrograms& programs);

  // The policy of sessions, which is not live. `key`: equal keys are equal policies. `labels` is
  // the key of hashes of labels. Errors: E2BIG too many names; of bpf(2).
  [[nodiscard]] Result<std::shared_ptr<const SessionPolicy>> prepare(const MachineSpec& spec,
                                                                     const std::string& key,
                                                                     const hf_sip_key& labels);

  // Opens a session whose first member is the task. The programs that `policy` needs are attached,
  // and the family kSessions. Returns its id, which is never used again. Errors: ENOSPC too many
  // sessions; EDQUOT the user has as much as the limits permit; EPERM the task or a namespace is not
  // the user's; ELOOP the task is in too many already; ESRCH the task, or one of its namespaces, is
  // not there; EAGAIN the threads of a container's process do not settle; of bpf(2). On error the
  // task is a member of nothing new.
  [[nodiscard]] Result<std::uint64_t> open(std::shared_ptr<const SessionPolicy> policy,
                                           const SessionOpening& opening);

  // May the user open one more now? Errors: as open().
  [[nodiscard]] Result<void> admits(const SessionPolicy& policy,
                                    const SessionOpening& opening) const {
    const auto number = admit(policy, opening);
    return number ? Result<void>() : number.error();
  }

  [[nodiscard]] std::vector<std::uint64_t> ids() const;
  // ENOENT: there is no such session.
  [[nodiscard]] Result<SessionCounts> counts(std::uint64_t id) const;
  void count_into(MachineStats& stats) const;

  // As Machine::sessions_of(), Machine::decide_label(). `labels` is the key of hashes of labels.
  [[nodiscard]] Result<std::vector<Membership>> of_task(pid_t tid);
  [[nodiscard]] int decide_label(const LabelChange& change, const hf_sip_key& labels,
                                 const EventSink& sink);

  // Takes down a session without members. Errors: EBUSY it has some; ENOENT; of bpf(2).
  [[nodiscard]] Result<void> close(std::uint64_t id);
  // What all open sessions need, without kSessions if there is none.
  [[nodiscard]] PolicyNeeds needs() const;

  // Takes over the sessions of another instance, which is still attached, with all their members.
  // The programs that these sessions need are attached by `attach`. Errors: EPROTO that instance has
  // members in a way that this build does not know; of bpf(2).
  using Attach = std::function<Result<void>(Families)>;
  [[nodiscard]] Result<void> take_over(const std::string& directory, const Attach& attach);

 private:
  struct Session {
    std::uint32_t slot = 0;
    std::shared_ptr<const SessionPolicy> policy;
  };
  MachineSessions(MachinePrograms& programs, kernel::MappedValue states, kernel::MappedValue users)
      : programs_(programs), states_(std::move(states)), users_(std::move(users)) {}
  [[nodiscard]] Result<void> find_open();
  // A policy that was not made by prepare().
  void know(const SessionPolicy& policy);
  [[nodiscard]] std::optional<std::uint32_t> free_slot() const;
  // Programs count in it meanwhile.
  [[nodiscard]] hf_session_state& state(std::uint32_t slot) const;
  [[nodiscard]] hf_session_user& user(std::uint32_t number) const;
  [[nodiscard]] std::uint32_t user_of(const Session& session) const {
    return state(session.slot).user;
  }
  // May the user open one more? Returns the user's number, which may be new.
  [[nodiscard]] Result<std::uint32_t> admit(const SessionPolicy& policy,
                                            const SessionOpening& opening) const;
  void count(const hf_layers& layers, std::int64_t by) const;
  // Returns whether the task was no member before.
  [[nodiscard]] Result<bool> adopt(const hf_adoption& adoption, pid_t tid);
  [[nodiscard]] Result<void> adopt_threads(const hf_adoption& adoption, pid_t pid);
  [[nodiscard]] std::uint32_t without_others(const SessionOpening& opening) const;
  [[nodiscard]] Result<hf_layers> layers_of(pid_t tid);
  [[nodiscard]] int decide_label_in(const Membership& member, const LabelChange& change,
                                    const hf_sip_key& labels, const EventSink& sink);
  [[nodiscard]] Result<void> copy_members(int from_fd);
  [[nodiscard]] BpfUsage bpf_usage(std::uint64_t set) const;
  void forget_namespaces(std::uint64_t set) const;
  void take_down(std::uint64_t id, const Session& session);
  void changed();

  MachinePrograms& programs_;
  kernel::MappedValue states_;                                        // by slot
  kernel::MappedValue users_;                                         // by number
  std::map<std::uint64_t, Session> sessions_;                         // by id
  std::map<std::string, std::weak_ptr<const SessionPolicy>> by_key_;  // of prepare()
  std::uint64_t next_generation_ = 0;
  std::optional<kernel::BpfObject> adopter_, finder_;
};

}  // namespace holdfast::backend::lsm

#endif  // HOLDFAST_BACKEND_LSM_MACHINE_SESSIONS_H
