// SPDX-License-Identifier: Apache-2.0
// Enforcement for the whole machine, as holdfastd asks for it. Only the lsm backend can do it.
#ifndef HOLDFAST_BACKEND_MACHINE_H
#define HOLDFAST_BACKEND_MACHINE_H

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "backend/backend.h"
#include "backend/machine_stats.h"
#include "base/result.h"
#include "core/abi.h"
#include "core/guard.h"

namespace holdfast::backend {

// The subtree of a cgroup path belongs to a profile. '*' in a component matches any run of
// characters of that component. Starts with '/'.
struct CgroupBinding {
  std::string path;
  std::uint16_t profile = 0;
};

// An extended attribute on an executable or a cgroup that confers a profile.
struct MarkBinding {
  std::string name;  // "user.…" or "trusted.…"
  std::uint16_t profile = 0;
};

struct MachineSpec {
  const hf_tables* tables = nullptr;  // borrowed during attach() and update() only: copied
  std::vector<CgroupBinding> bindings;
  std::vector<MarkBinding> marks = {};
  std::vector<std::string> profiles = {};      // names, by their numbers in the tables
  std::vector<std::string> label_names = {};   // by their indexes in the tables
  std::vector<std::string> label_values = {};  // by id; [0] is ""
  // By number of a profile: the names of labels that its label.set lists.
  std::vector<std::vector<std::string>> may_set = {};
  std::string cgroup_root = "/sys/fs/cgroup";  // where the unified hierarchy is mounted
  // Hears what the administrator should know about this policy, a sentence each; may be empty.
  std::function<void(const std::string& text)> warn = {};
};

// Of one socket: names ("user.…") and values, in the order of their first set.
using Labels = std::vector<std::pair<std::string, std::string>>;

// Whether the enforcement that is kept is guarded against those it holds.
enum class Guard { on, off };

// Only the daemon changes what is in it; sealed, nobody, or of its state only who serves.
struct GuardedDirectory {
  enum class Of { policy, state };
  std::string path;  // absolute, without symbolic links
  Of of = Of::policy;
};

// How enforcement is kept when the process ends.
struct Persistence {
  std::string pin_directory;
  Guard guard = Guard::on;
  std::vector<GuardedDirectory> guarded_directories;  // need the guard
};

// What nobody changes, removes or mounts over while it is sealed, beside what is guarded anyway.
// Paths are absolute, and above the last name without symbolic links.
struct SealedFiles {
  std::vector<std::string> files;   // or directories; what a link leads to as well
  std::vector<std::string> places;  // directories: names in them that begin with "holdfastd"
};

// Attached whole. From attach_machine() it is until destroyed; from attach_pinned_machine() on, destroyed or
// not, until stop_machine(). One thread.
class Machine {
 public:
  virtual ~Machine() = default;
  [[nodiscard]] virtual std::vector<int> poll_fds() const = 0;
  // Hands every event that is ready to the sink, without blocking.
  virtual Result<void> dispatch() = 0;
  // Did the last dispatch() find the end? Then no event of a policy from before is on its way.
  [[nodiscard]] virtual bool drained() const = 0;
  // Makes another policy live with one store. On error the old one is in force, as it was: whatever
  // can fail comes before the store.
  virtual Result<void> update(const MachineSpec& spec) = 0;
  // What could not be done for the policy that is live, after it became so; empty: nothing.
  [[nodiscard]] virtual const std::string& incomplete() const = 0;
  // With what was counted before this process adopted it.
  [[nodiscard]] virtual Totals totals() const = 0;
  // Reads every entry of every map.
  [[nodiscard]] virtual Result<MachineStats> stats() const = 0;
  // Of the policy that is live.
  [[nodiscard]] virtual std::uint64_t generation() const = 0;
  // Attempts on the enforcement itself that were refused since the last call.
  [[nodiscard]] virtual Result<std::vector<hf_guard_event>> take_guard_events() = 0;
  // Does a change of policy need the token?
  [[nodiscard]] virtual bool sealed() const = 0;
  // The labels of sockets on kernels that keep none (before Linux 7.1): kept beside the programs,
  // until the socket is released, whoever ends; rules read what is set here. At most 32 labels and
  // 3472 bytes of them (4 for each, with name and value), else ENOSPC. set_labels() replaces all of
  // the socket's, at once: a decision sees those before or these. Who may label is for the caller
  // to ask. Errors: ENOTSOCK, EBADF; EINVAL not the name of a label, or one twice; ENOMEM; ENOTSUP
  // this kernel's sockets have labels of their own.
  [[nodiscard]] virtual Result<Labels> labels_of(int socket_fd) const = 0;
  virtual Result<void> set_labels(int socket_fd, const Labels& labels) = 0;
  // Counts a decision that user space made by the live policy, and hands it to the sink when it is
  // to be logged. `profile`: the name of the one whose rule it was; empty: nobody's.
  virtual void report(const hf_event& event, const std::string& profile) = 0;
  // Was it found in force, with its policy, and left as it was?
  [[nodiscard]] virtual bool adopted() const = 0;
  // Are directories guarded?
  [[nodiscard]] virtual bool guards_files() const = 0;
};

// What attach_machine() promises, one entry for each RuleKind. Of namespaces.enter only "any" and
// "none": the others are about the namespaces of one sandbox, and a machine is none. Attaches
// nothing.
[[nodiscard]] std::vector<Promise> machine_promises();

// Errors: ENOTSUP with the reason when this kernel or user cannot; EPERM when the self-test was not
// refused.
[[nodiscard]] Result<std::unique_ptr<Machine>> attach_machine(const MachineSpec& spec,
                                                              EventSink sink);

// Enforcement that outlives this process, pinned under `pin_directory` (core/pins.h). What is found
// there by the same build is adopted: no policy changes. What another build left, or one that did
// not guard directories when some are to be now, or the other way round, is replaced by `spec`,
// which is live before the old programs go; not while it is sealed. Nothing there: attached with
// `spec`, and with a guard unless that is off.
// Errors: as attach_machine(); ENOTSUP no BPF filesystem; EBUSY another process serves it; EPERM
// the guard does not take this process for holdfastd; EPROTO what is there is not holdfast's or of
// a version that this one does not know: it stays in force.
[[nodiscard]] Result<std::unique_ptr<Machine>> attach_pinned_machine(const MachineSpec& spec,
                                                                     const Persistence& persistence,
                                                                     EventSink sink);

// Ends what attach_pinned_machine() left. Returns how many instances there were. Errors: EBUSY a process
// serves it; EPERM it is sealed, or as attach_pinned_machine(); what removing pins gave.
[[nodiscard]] Result<std::size_t> stop_machine(const std::string& pin_directory);

// The seal of what is in force: while it is on, only the very file that sealed it is holdfastd, and
// neither the policy nor what guards it is to be changed. The kernel decides that, by the guard's
// own state. This works beside a process that serves it. All of its calls are about the one guard
// that open() found, wherever the path leads later. One thread.
class Seal {
 public:
  // Null: nothing guarded is in force. Errors: EPERM the guard does not take this process for
  // holdfastd; ELOOP the path has a symbolic link; ENOTSUP it is not on a BPF filesystem.
  [[nodiscard]] static Result<std::unique_ptr<Seal>> open(const std::string& pin_directory);
  virtual ~Seal() = default;
  [[nodiscard]] virtual bool is_on() const = 0;
  // Says how to know the token again. Empty: it is off.
  [[nodiscard]] virtual std::string secret() const = 0;
  // `files`: first the path of the program that calls. Errors: EPERM it is on; EBUSY another
  // process is sealing; ETXTBSY somebody has one of the files open for writing; ESTALE the first is
  // not the program that runs; ENOTSUP its filesystem shows files that can be changed elsewhere;
  // ENOSPC too many files.
  [[nodiscard]] virtual Result<void> put_on(const std::string& secret,
                                            const SealedFiles& files) = 0;
  [[nodiscard]] virtual Result<void> take_off() = 0;
};

}  // namespace holdfast::backend

#endif  // HOLDFAST_BACKEND_MACHINE_H
