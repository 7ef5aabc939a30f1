// SPDX-License-Identifier: Apache-2.0
// Enforcement for the whole machine, for holdfastd. Only the lsm backend implements it.
#ifndef HOLDFAST_BACKEND_MACHINE_H
#define HOLDFAST_BACKEND_MACHINE_H

#include <array>
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

// Tasks in the subtree of a cgroup path belong to a profile. The path starts with '/'. A '*' in a
// component matches any run of characters within that component.
struct CgroupBinding {
  std::string path;
  std::uint16_t profile = 0;
};

// An extended attribute on an executable or a cgroup that gives a profile to its tasks.
struct MarkBinding {
  std::string name;  // "user.…" or "trusted.…"
  std::uint16_t profile = 0;
};

struct MachineSpec {
  const hf_tables* tables = nullptr;  // borrowed for the call that takes the spec, and copied
  std::vector<CgroupBinding> bindings;
  std::vector<MarkBinding> marks = {};
  std::vector<std::string> profiles = {};      // names, indexed by the number of the profile
  std::vector<std::string> label_names = {};   // indexed as in the tables
  std::vector<std::string> label_values = {};  // indexed by id; [0] is ""
  // Indexed by the number of the profile: the label names that its label.set lists.
  std::vector<std::vector<std::string>> may_set = {};
  std::string cgroup_root = "/sys/fs/cgroup";  // the mount point of the unified hierarchy
  // The policy before may come back. What that one needs stays attached until settle() or another
  // update(), so that it comes back at once, and nothing can keep it from it.
  bool may_be_taken_back = false;
  // Receives warnings about this policy for the administrator, one sentence each. May be empty.
  std::function<void(const std::string& text)> warn = {};
};

// What the sessions of one ordinary user may have at one time.
struct UserLimits {
  std::uint32_t sessions = 16;
  std::uint32_t members = 1024;   // tasks of all sessions; a task that is in two counts twice
  std::uint32_t namespaces = 64;  // tracked ones of one session
  std::uint32_t policies = 4;     // that differ
  std::uint32_t rules = 256;  // about sockets in one policy, with the names and values of labels
};

// A session: the policy of one run, held beside the machine's policy by the same programs.
struct SessionOpening {
  // Its marks are not used. Borrowed for the call.
  const MachineSpec* policy = nullptr;
  // Sessions whose keys are equal have equal policies, and share their memory.
  std::string key;
  std::uint16_t profile = 0;  // of the members
  std::uint32_t owner = 0;    // uid of who opens it
  // The first member: a task that waits, the only one of its process, in the pid namespace of this
  // process. All that it makes later are members, too.
  pid_t tid = -1;
  // Inode numbers of namespaces that the task has made for the session, by bit number of HF_NS_*.
  // They belong to its sandbox. The caller holds descriptors of them. 0: none of the type.
  std::array<std::uint32_t, HF_NS_COUNT> namespaces = {};
  // Of a socket that the policy's rules do not apply to. 0: none.
  std::uint64_t channel_cookie = 0;
  // The owner is an ordinary user: the first member has to be a task of that user alone, which
  // cannot gain privileges (no_new_privs), and its namespaces have to be made by that user. The
  // session decides about its members, and about visitors that are tasks of that user alone.
  std::optional<UserLimits> user;
  // Not 0: the session of a container, with a profile of the machine's policy of this generation.
  // `tid` is then the container's first process, which is still its runtime: all its threads become
  // members, and no rule is about them until one executes a program. `namespaces` are all that the
  // process is in, without which no task becomes a member; of these, only `own` (HF_NS_*) belong to
  // the sandbox, without those that another session's sandbox has.
  std::uint64_t container_of = 0;
  std::uint32_t own = HF_NS_ALL;
};

struct SessionCounts {
  Totals totals;
  std::uint64_t members = 0;  // tasks
  std::uint64_t events = 0;   // that programs have begun to write; they come to the sink
  std::uint32_t owner = 0;
  std::uint64_t forks_refused = 0;  // a member was one too many for its ordinary user
  std::uint64_t container_of = 0;   // as in SessionOpening
  std::uint16_t profile = 0;
};

// The labels of one socket: names ("user.…") and values, in the order of their first set.
using Labels = std::vector<std::pair<std::string, std::string>>;

// A session that a task is a member of.
struct Membership {
  std::uint64_t session = 0;  // id
  std::uint16_t profile = 0;  // the number of its profile in the session's policy
};

// A change of a label that user space is asked for, on kernels whose sockets have none.
struct LabelChange {
  std::vector<Membership> members;  // of the task that asks, from Machine::sessions_of()
  hf_task actor = {};               // the same task, for the event
  std::uint16_t way = 0;            // HF_VIA_LABEL_SET or HF_VIA_LABEL_REMOVE
  std::string name;
  std::uint64_t socket = 0;  // its cookie
};

// Is pinned enforcement protected against the tasks that it confines?
enum class Guard { on, off };

// A directory whose content only holdfastd may change. While the machine is sealed no process may
// change a policy directory, and only the serving holdfastd may change the state directory.
struct GuardedDirectory {
  enum class Of { policy, state };
  std::string path;  // absolute, without symbolic links
  Of of = Of::policy;
};

// How enforcement stays in force after the process has ended.
struct Persistence {
  std::string pin_directory;
  Guard guard = Guard::on;
  std::vector<GuardedDirectory> guarded_directories;  // protected only while the guard is on
};

// Files that no process can change, remove or mount over while the machine is sealed. They are
// protected in addition to the guarded directories. Paths are absolute; only their last component
// may be a symbolic link.
struct SealedFiles {
  std::vector<std::string> files;   // or directories; the target of a link is protected as well
  std::vector<std::string> places;  // directories: names that begin with "holdfastd" in them
};

// Enforcement that is attached completely. The enforcement of attach_machine() ends with the
// object. The enforcement of attach_pinned_machine() stays in force until stop_machine(). One
// thread.
class Machine {
 public:
  virtual ~Machine() = default;
  [[nodiscard]] virtual std::vector<int> poll_fds() const = 0;
  // Passes every event that is ready to the sink. Does not wait for more.
  virtual Result<void> dispatch() = 0;
  // Did the last dispatch() read the ring buffer to its end? If so, no event of an earlier policy
  // is left in it.
  [[nodiscard]] virtual bool drained() const = 0;
  // Makes `spec` the live policy, with one store in the kernel. All steps that can fail come before
  // the store, so after an error the old policy is in force unchanged. Work after the store that
  // fails is reported by incomplete().
  virtual Result<void> update(const MachineSpec& spec) = 0;
  // The policy of the last update() stays.
  virtual void settle() = 0;
  // What the last update() could not do after the new policy was live, as text. Empty: nothing.
  [[nodiscard]] virtual const std::string& incomplete() const = 0;
  // Since the programs were attached, so counts from before this process adopted them are included.
  [[nodiscard]] virtual Totals totals() const = 0;
  // Reads every entry of every map, so it is slow.
  [[nodiscard]] virtual Result<MachineStats> stats() const = 0;
  // The generation of the live policy.
  [[nodiscard]] virtual std::uint64_t generation() const = 0;
  // Refused attacks on the enforcement itself since the last call.
  [[nodiscard]] virtual Result<std::vector<hf_guard_event>> take_guard_events() = 0;
  // Is the machine sealed? If so, a change of policy needs the token.
  [[nodiscard]] virtual bool sealed() const = 0;
  // What open_session() would do, without a task: attaches the programs that the policy needs, which
  // takes seconds if they are not attached. Errors: ENOTSUP this kernel cannot decide all of the
  // policy's rules (the detail says which); ENOSYS there is no guard; EINVAL, E2BIG a path of the
  // policy; EDQUOT the user has as much as the limits permit; of attaching.
  virtual Result<void> prepare_session(const SessionOpening& opening) = 0;
  // Opens a session and makes the task its first member. Returns the id of the session, which no
  // later session has. Errors: as prepare_session(); ENOSPC too many sessions; ELOOP the task is in
  // too many; EDQUOT the user has as much as the limits permit; EPERM the task or a namespace is not
  // the user's, or the task may gain privileges; ESRCH the task or a namespace is gone; EAGAIN the
  // threads of a container's process do not settle. After an error the task must not be released.
  [[nodiscard]] virtual Result<std::uint64_t> open_session(const SessionOpening& opening) = 0;
  // Those that are open, also from before this process.
  [[nodiscard]] virtual std::vector<std::uint64_t> sessions() const = 0;
  // Errors: ENOENT there is no such session.
  [[nodiscard]] virtual Result<SessionCounts> session(std::uint64_t id) const = 0;
  // Ends a session that has no members. Errors: EBUSY it has some; ENOENT.
  virtual Result<void> close_session(std::uint64_t id) = 0;

  // The sessions that a task is a member of, in ascending order. Errors: ESRCH there is no such
  // task; of bpf(2).
  [[nodiscard]] virtual Result<std::vector<Membership>> sessions_of(pid_t tid) = 0;
  // Decides a change of a label by the sessions of its task, counts it there and reports it.
  // Returns the errno of an enforced refusal, or 0. EPERM also if one of the sessions has ended.
  [[nodiscard]] virtual int decide_label(const LabelChange& change) = 0;

  // The labels of a socket, on kernels whose sockets have none of their own (before Linux 7.1).
  // They are stored in BPF socket storage until the socket is released, and socket rules read them.
  // Up to 3472 bytes are kept there as text; each label counts 4 bytes, its name and its value. The
  // texts of sockets with more are kept in this process, and are lost when it ends. If a socket has
  // more than 32 labels, each decision by its labels is a refusal. set_labels() replaces all labels
  // of the socket at once: a decision reads either the old ones or the new ones. The caller has to
  // check who may set labels, and the kernel's limits for one socket. Errors: ENOTSOCK; EBADF;
  // EINVAL a name is not a label name or occurs twice; ENOSPC this process keeps too much; EIO the
  // texts are lost, or were not inherited; ENOMEM; ENOTSUP this kernel's sockets have labels of
  // their own.
  [[nodiscard]] virtual Result<Labels> labels_of(int socket_fd) const = 0;
  virtual Result<void> set_labels(int socket_fd, const Labels& labels) = 0;
  // Counts a decision that user space made by the live policy. Passes it to the sink if the verdict
  // asks for a log entry. `profile` is the name of the profile whose rule decided; empty: none.
  virtual void report(const hf_event& event, const std::string& profile) = 0;
  // True: attach_pinned_machine() found this enforcement in force and left its policy unchanged.
  [[nodiscard]] virtual bool adopted() const = 0;
  // Does the guard protect directories?
  [[nodiscard]] virtual bool guards_files() const = 0;
};

// Attaches until the Machine is destroyed. Errors: ENOTSUP this kernel or user cannot do it (the
// error has the reason); EPERM the self-test was not refused.
[[nodiscard]] Result<std::unique_ptr<Machine>> attach_machine(const MachineSpec& spec,
                                                              EventSink sink);

// Enforcement that outlives this process, pinned under `pin_directory` (core/pins.h). It does one
// of three things:
//
//   - Nothing is pinned: attaches `spec`, with a guard unless that is off.
//   - The pins are of this build, and guard directories exactly if `persistence` does: adopts
//     them. The live policy stays as it is. A sealed machine is adopted even if the guarded
//     directories differ.
//   - Otherwise: attaches `spec` and then removes the old pins, so that a policy is in force all
//     the time.
//
// Errors: as attach_machine(); ENOTSUP no BPF filesystem; EBUSY another process serves the pins;
// EPERM the guard does not accept this process as holdfastd; EPROTO the pins are not holdfast's, or
// of an unknown version. They stay in force.
[[nodiscard]] Result<std::unique_ptr<Machine>> attach_pinned_machine(const MachineSpec& spec,
                                                                     const Persistence& persistence,
                                                                     EventSink sink);

// Removes the pins of attach_pinned_machine(), which ends enforcement. Returns the number of
// instances that were pinned. Errors: EBUSY a process serves the pins; EPERM the machine is sealed,
// or the guard does not accept this process as holdfastd; errors of removing pins.
[[nodiscard]] Result<std::size_t> stop_machine(const std::string& pin_directory);

// The seal of pinned enforcement. While the machine is sealed, only the executable that sealed it
// is accepted as holdfastd, and neither the policy nor the guard can be changed. The kernel decides
// this by the state of the guard. A Seal can be used while another process serves the pins. All
// calls are about the guard that open() found, even if the path leads elsewhere later. One thread.
class Seal {
 public:
  // Null: no guarded enforcement is in force. Errors: EPERM the guard does not accept this process
  // as holdfastd; ELOOP the path has a symbolic link; ENOTSUP it is not on a BPF filesystem.
  [[nodiscard]] static Result<std::unique_ptr<Seal>> open(const std::string& pin_directory);
  virtual ~Seal() = default;
  [[nodiscard]] virtual bool is_on() const = 0;
  // The string that put_on() was given, by which the token is checked. Empty: not sealed.
  [[nodiscard]] virtual std::string secret() const = 0;
  // The first of `files.files` is the path of the calling program. Errors: EPERM the machine is
  // sealed already; EBUSY another process is sealing it; ETXTBSY a file is open for writing; ESTALE
  // the first file is not the running program; ENOTSUP the files of its filesystem can be changed
  // from elsewhere, or the pins are of another build; ENOSPC too many files; E2BIG `secret` is too
  // long.
  [[nodiscard]] virtual Result<void> put_on(const std::string& secret,
                                            const SealedFiles& files) = 0;
  // After an error the machine is unsealed, but programs of the seal may stay attached.
  [[nodiscard]] virtual Result<void> take_off() = 0;
};

}  // namespace holdfast::backend

#endif  // HOLDFAST_BACKEND_MACHINE_H
