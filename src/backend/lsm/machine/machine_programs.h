// SPDX-License-Identifier: Apache-2.0
// The programs that decide moves between cgroups (bpf/machine/machine.bpf.c), loaded and attached.
#ifndef HOLDFAST_BACKEND_LSM_MACHINE_MACHINE_PROGRAMS_H
#define HOLDFAST_BACKEND_LSM_MACHINE_MACHINE_PROGRAMS_H

#include <cstdint>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <string_view>

#include "backend/backend.h"
#include "backend/lsm/machine/cgroup_paths.h"
#include "backend/lsm/machine/machine_labels.h"
#include "backend/lsm/machine/marks.h"
#include "backend/lsm/machine/profile_counters.h"
#include "backend/lsm/machine/socket_policy.h"
#include "base/fd.h"
#include "base/result.h"
#include "kernel/bpf/bpf_pin.h"
#include "kernel/cgroup/cgroup.h"

struct machine_bpf;
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

// Do sockets of this kernel have labels of their own?
enum class KernelLabels { no, yes };

// load(), publish(), attach(): attached until destroyed, all programs or none. After pin() they
// stay attached, and adopt() finds them again. One thread.
class MachinePrograms {
 public:
  // Errors: what the kernel says to loading.
  [[nodiscard]] static Result<std::unique_ptr<MachinePrograms>> load(EventSink sink);
  // What pin() left. Decides on, undisturbed. Errors: EPROTO when something there is not what it
  // should be, by name; what opening a pin gave.
  [[nodiscard]] static Result<std::unique_ptr<MachinePrograms>> adopt(const std::string& directory,
                                                                      EventSink sink);
  // The build of the programs that load() would load.
  [[nodiscard]] static std::uint64_t digest();
  // The labels of sockets that another instance keeps. No descriptor: it keeps none, or in a way
  // that this build does not know.
  [[nodiscard]] static Result<Fd> open_label_store(const std::string& directory);
  // Takes down what pin() left: the deciding program first, so that no move is refused for want of
  // facts meanwhile.
  [[nodiscard]] static Result<void> remove(const std::string& directory);
  ~MachinePrograms();
  MachinePrograms(const MachinePrograms&) = delete;
  MachinePrograms& operator=(const MachinePrograms&) = delete;

  // Makes all of it live with one store and returns once no decision uses what was before. The
  // generations must be equal, and differ from the live one's. On error nothing has changed.
  [[nodiscard]] Result<void> publish(LivePolicy policy);

  // Without a policy that is live every move is refused, so publish() first.
  [[nodiscard]] Result<void> attach();

  // Pins every map and link in the directory. On error some may be there.
  [[nodiscard]] Result<void> pin(const std::string& directory) const;

  // Generation of the policy that is live. Errors: what reading the maps gave; EPROTO no policy.
  [[nodiscard]] Result<std::uint64_t> live_generation() const;
  // Removes what is of other generations than this, which is live: what was replaced, and what a
  // process that died has left.
  void sweep(std::uint64_t live) const;

  // Counts and reports a decision of user space's as the programs do theirs.
  void report(hf_event event, const std::string& profile);
  // An id beside those of the programs' events, for what others report.
  [[nodiscard]] std::uint64_t next_event_id();
  // Programs that the kernel was not let start for a held task: the events that dispatch() read
  // since the last call, and how many there were in all.
  [[nodiscard]] std::vector<hf_guard_event> take_guard_events();
  [[nodiscard]] std::uint64_t refused_helpers() const;
  // Takes back what the self-test did from the totals.
  void discount_denied(std::uint64_t count);

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

  // Whether one move is answered by the programs: begin_probe(), the move of a task into `cgroup`
  // by this process, end_probe() with what the first returned. Errors: what making a nonce gave.
  [[nodiscard]] Result<std::uint64_t> begin_probe(kernel::CgroupId cgroup);
  [[nodiscard]] bool end_probe(std::uint64_t probe);

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
  [[nodiscard]] Result<void> open_object(KernelLabels labels);
  [[nodiscard]] Result<void> load_programs();
  [[nodiscard]] Result<void> open_pins(const std::string& directory);
  [[nodiscard]] Result<void> open_ring();
  // The map that names the live policy, to be written. EPERM: it is sealed.
  [[nodiscard]] Result<Fd> open_live_policy() const;
  // -1: no such map.
  [[nodiscard]] int map_fd(std::string_view name) const;
  [[nodiscard]] MarkMaps mark_maps() const;
  [[nodiscard]] SocketMaps socket_maps() const;
  [[nodiscard]] Result<void> insert(const LivePolicy& policy);
  void keep_live_alone() const;
  [[nodiscard]] Warn once(const Warn& warn);

  EventSink sink_;
  std::unique_ptr<Reading> reading_;
  machine_bpf* skeleton_ = nullptr;  // adopted: opened only, for what it says about the maps
  std::map<std::string, Fd, std::less<>> pins_;  // of an adopted one, by pin name
  std::string directory_;                        // the same's
  std::unique_ptr<kernel::MappedValue> adopted_totals_;
  ring_buffer* ring_ = nullptr;
  ProfileCounterSlots stats_;
  std::vector<MarkEntry> live_marks_;  // of the policy that was published last
  std::set<std::string> warned_;       // what was said already
};

}  // namespace holdfast::backend::lsm

#endif  // HOLDFAST_BACKEND_LSM_MACHINE_MACHINE_PROGRAMS_H
