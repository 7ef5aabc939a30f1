// SPDX-License-Identifier: Apache-2.0
// The machine-wide programs (bpf/machine/machine.bpf.c), loaded and attached by families.
#ifndef HOLDFAST_BACKEND_LSM_MACHINE_MACHINE_PROGRAMS_H
#define HOLDFAST_BACKEND_LSM_MACHINE_MACHINE_PROGRAMS_H

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <string_view>

#include "backend/backend.h"
#include "backend/lsm/machine/cgroup_paths.h"
#include "backend/lsm/machine/families.h"
#include "backend/lsm/machine/machine_globals.h"
#include "backend/lsm/machine/machine_labels.h"
#include "backend/lsm/machine/marks.h"
#include "backend/lsm/machine/policy_needs.h"
#include "backend/lsm/machine/profile_counters.h"
#include "backend/lsm/machine/socket_policy.h"
#include "base/fd.h"
#include "base/result.h"
#include "kernel/bpf/bpf_object.h"
#include "kernel/bpf/bpf_pin.h"
#include "kernel/cgroup/cgroup.h"

struct ring_buffer;

namespace holdfast::backend::lsm {

// What a policy is to the programs. All parts of one generation.
struct LivePolicy {
  const hf_tables* tables = nullptr;  // borrowed while it is published
  CgroupPaths paths;
  std::vector<MarkEntry> marks = {};
  SocketPolicy sockets = {};
  std::vector<std::string> profiles = {};  // names by number, to count by
};

// A policy as a map for the programs. No descriptor can be used to change it from
// then on. Errors: of bpf(2).
[[nodiscard]] Result<Fd> frozen_tables(const hf_tables& tables);

// Which policy is live, and the programs that decide by it. create() makes the maps; attach() adds
// programs, which stay attached until detach() or the end of this object. After pin() they stay
// attached beyond that, and adopt() finds them again. One thread.
class MachinePrograms {
 public:
  // The maps alone, without a live policy. Errors: what the kernel says to making them.
  [[nodiscard]] static Result<std::unique_ptr<MachinePrograms>> create(EventSink sink);
  // What pin() left. Decides on, undisturbed. Errors: EPROTO when something there is not what it
  // should be, by name; what opening a pin gave.
  [[nodiscard]] static Result<std::unique_ptr<MachinePrograms>> adopt(const std::string& directory,
                                                                      EventSink sink);
  // The build of the programs that create() and attach() would load.
  [[nodiscard]] static std::uint64_t digest();
  // The labels of sockets that another instance keeps. No descriptor: it keeps none, or in a way
  // that this build does not know.
  [[nodiscard]] static Result<Fd> open_label_store(const std::string& directory);
  // Takes over the tracked namespaces that another instance, which is still attached, has recorded:
  // a task held in one stays held. Does nothing if that instance records none, or in a way that
  // this build does not know. The family kTracking is attached. Errors: of bpf(2).
  [[nodiscard]] Result<void> take_tracked(const std::string& directory);
  // Takes over the records of BPF objects that another instance, which is still attached, keeps: they
  // still belong to their makers, and count. The family kBpf is attached. Errors: EPROTO that
  // instance keeps them in a way that this build does not know; ENOSPC; of bpf(2).
  [[nodiscard]] Result<void> take_bpf_objects(const std::string& directory);
  // Takes down what pin() left: the deciding program first, so that no move is refused for want of
  // facts meanwhile.
  [[nodiscard]] static Result<void> remove(const std::string& directory);
  ~MachinePrograms();
  MachinePrograms(const MachinePrograms&) = delete;
  MachinePrograms& operator=(const MachinePrograms&) = delete;

  // The families that are attached.
  [[nodiscard]] Families attached() const { return attached_; }
  // Loads and attaches the programs of these families that are not attached yet, and pins them if
  // the rest is pinned. Without a live policy every move is refused, so publish() first. On error
  // nothing has changed.
  [[nodiscard]] Result<void> attach(Families families);
  // Detaches the programs that are in none of the other families.
  void detach(Families families);
  // Detaches what the policy that was published last does not need. Nothing, if none was.
  void detach_unneeded();
  // Whether the links of all attached families are pinned. Errors: EPROTO one is missing or
  // attaches another program.
  [[nodiscard]] Result<void> check_pins() const;

  // Makes all of it live with one store and returns once no decision uses what was before. The
  // generations must be equal, and differ from the live one's. On error nothing has changed.
  [[nodiscard]] Result<void> publish(LivePolicy policy);

  // Pins every map and link in the directory. On error some may be there.
  [[nodiscard]] Result<void> pin(const std::string& directory);

  // Generation of the policy that is live. Errors: what reading the maps gave; EPROTO no policy.
  [[nodiscard]] Result<std::uint64_t> live_generation() const;
  // Removes what is of other generations than this, which is live, and those of sessions: what was
  // replaced, and what a process that died has left.
  void sweep(std::uint64_t live) const;

  // For MachineSessions. The paths of a policy that is not live, under its generation. Errors: of
  // bpf(2), with the path.
  [[nodiscard]] Result<void> bind_paths(const CgroupPaths& paths) const;
  // For MachineSessions. What the policies of all sessions need together, whose programs are
  // attached; the generations that they have; and the digests of their rates, whose buckets stay.
  void need_for_sessions(const PolicyNeeds& needs);
  void keep_generation(std::uint64_t generation);
  void drop_generation(std::uint64_t generation);
  void set_session_rates(std::set<std::uint64_t> digests);
  // A program that is not attached, such as an iterator, with the maps of these.
  [[nodiscard]] Result<kernel::BpfObject> load_alone(std::string_view name) const;
  // Borrowed. -1: no such map.
  [[nodiscard]] int map_fd(std::string_view name) const;
  [[nodiscard]] SocketMaps socket_maps() const;
  [[nodiscard]] Globals& globals() const { return globals_of(*globals_); }

  // Counts and reports a decision of user space's as the programs do theirs.
  void report(hf_event event, const std::string& profile);
  // An id beside those of the programs' events, for what others report.
  [[nodiscard]] std::uint64_t next_event_id();
  // Programs that the kernel was not let start for a held task, and bytes that it could not type
  // into a terminal: the events that dispatch() read since the last call, and how many there were
  // in all, by HF_GUARD_*.
  [[nodiscard]] std::vector<hf_guard_event> take_guard_events();
  [[nodiscard]] std::vector<std::uint64_t> refused() const;

  // How full the maps and the ring are, and what was decided.
  [[nodiscard]] Result<std::vector<MapUsage>> map_usage() const;
  [[nodiscard]] std::vector<DecisionCount> decisions() const { return stats_.counts(); }

  // Adds the delegations that were there before attach(). Later ones are seen as they are made.
  [[nodiscard]] Result<void> learn_delegations(const std::string& cgroup_root);
  // Adds the cgroups that have one of these marks, whose policy is not live yet. Errors: what
  // reading the hierarchy gave; E2BIG and ENOMEM there is no room for them.
  [[nodiscard]] Result<void> learn_marked_cgroups(const std::string& cgroup_root,
                                                  const std::vector<MarkEntry>& marks,
                                                  const Warn& warn);
  // Adds what had one of the live policy's marks before that was live. Later ones are seen as they
  // are made. `warn` hears, once for each, what could have been marked by others and so is not.
  [[nodiscard]] Result<void> learn_marks(const std::string& cgroup_root, const Warn& warn);

  // Whether moves are refused by the programs: between begin_probe() and end_probe(), with what the
  // first returned, each move of a task into `cgroup` by this process is. Errors: what making a
  // nonce gave.
  [[nodiscard]] Result<std::uint64_t> begin_probe(kernel::CgroupId cgroup);
  [[nodiscard]] bool end_probe(std::uint64_t probe);

  // Makes a call that a program of every family refuses. Errors: EPERM it was not refused: the
  // kernel does not call the programs; what making a nonce or a socket gave.
  [[nodiscard]] Result<void> prove_calls() const;

  // Was there a label that could not be recorded with its socket? Then those of none are known.
  [[nodiscard]] bool labels_were_lost() const;
  void forget_lost_labels();

  // Borrowed from this.
  [[nodiscard]] LabelMaps label_maps() const;

  [[nodiscard]] int poll_fd() const;
  // Hands events that are ready to the sink, 4096 at most.
  [[nodiscard]] Result<void> dispatch();
  // Was the last dispatch() not that many?
  [[nodiscard]] bool drained() const;
  [[nodiscard]] Totals totals() const;
  // What went wrong without being a decision: moves that the kernel allowed without asking the
  // programs, of which there must be none, and marks that could not be conferred.
  [[nodiscard]] std::uint64_t faults() const;

 private:
  struct Reading;
  static int on_event(void* context, void* data, std::size_t size);
  explicit MachinePrograms(EventSink sink);
  [[nodiscard]] Result<void> create_maps();
  [[nodiscard]] Result<void> open_pins(const std::string& directory);
  [[nodiscard]] Result<bool> read_kernel_labels() const;
  [[nodiscard]] Result<void> open_links(const kernel::BpfObject& object,
                                        const std::string& directory);
  [[nodiscard]] Result<void> use_maps();
  // Empties the maps of these families, whose programs have not been attached up to now.
  [[nodiscard]] Result<void> reset_maps(Families families);
  [[nodiscard]] Result<void> replace_map(const std::string& name);
  [[nodiscard]] Result<void> attach_programs(Families families);
  // The map that names the live policy, to be written. EPERM: it is sealed.
  [[nodiscard]] Result<Fd> open_live_policy() const;
  [[nodiscard]] MarkMaps mark_maps() const;
  // Before what needs it is live.
  void begin_to_need(const PolicyNeeds& needs);
  [[nodiscard]] PolicyNeeds all_needs() const;
  void drop_unused_buckets() const;
  [[nodiscard]] Result<void> insert(const LivePolicy& policy);
  void keep_live_alone() const;
  [[nodiscard]] Warn once(const Warn& warn);

  EventSink sink_;
  std::unique_ptr<Reading> reading_;
  std::map<std::string, Fd, std::less<>> maps_;   // by their names in the object
  std::map<std::string, Fd, std::less<>> links_;  // by the names of their programs
  Families attached_ = 0;
  std::optional<PolicyNeeds> needs_;  // of the policy that was published last
  std::set<std::uint64_t> rates_;     // of the same: digests
  PolicyNeeds session_needs_;
  std::set<std::uint64_t> session_generations_;
  std::set<std::uint64_t> session_rates_;
  bool kernel_labels_ = false;
  std::string directory_;  // of the pins; empty: nothing is pinned
  std::unique_ptr<kernel::MappedValue> globals_;
  ring_buffer* ring_ = nullptr;
  ProfileCounterSlots stats_;
  std::vector<MarkEntry> live_marks_;  // of the policy that was published last
  std::set<std::string> warned_;       // what was said already
};

}  // namespace holdfast::backend::lsm

#endif  // HOLDFAST_BACKEND_LSM_MACHINE_MACHINE_PROGRAMS_H
