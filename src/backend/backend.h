// SPDX-License-Identifier: Apache-2.0
// The interface of a backend: it states what it can enforce. And that of a session, which holds one
// `holdfast run`: it is attached completely or not at all.
//
// Order of calls for one run. All calls come from one thread:
//
//   1. run::attach() opens the session: it prepares enforcement. The workload does not run yet.
//   2. session->before_fork()   returns what the child has to do to itself. A backend that marks
//                               the child at fork is armed now: the next fork of this thread has
//                               to be the child.
//   3. fork. The child makes its namespaces, follows its ChildPlan, and blocks.
//   4. session->adopt(child)    After it returns, the child and all its descendants are held.
//   5. The child is released and executes CMD.
//   6. poll(session->poll_fds()) and session->dispatch(), until the run ends.
//   7. session->finish()        returns the totals. The destructor detaches everything.
//
// The supervisor proves by a self-test that it refuses, in adopt(). holdfastd, which holds the
// sessions of the lsm backend, proves it whenever it attaches programs.
#ifndef HOLDFAST_BACKEND_BACKEND_H
#define HOLDFAST_BACKEND_BACKEND_H

#include <linux/filter.h>
#include <sys/types.h>

#include <array>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "backend/promises.h"
#include "base/fd.h"
#include "base/result.h"
#include "core/counters.h"
#include "core/guard.h"

namespace holdfast::backend {

// Receives each decision that has to be reported, on the thread that calls dispatch() or finish().
using EventSink = std::function<void(const hf_event&)>;
// Receives each refused attack on the enforcement itself. The policy does not decide about those.
// Same thread as EventSink.
using GuardEventSink = std::function<void(const hf_guard_event&)>;

// The two cgroups of a move, as paths below the root of the supervisor's cgroup namespace.
struct MovePaths {
  std::string source;
  std::string target;
};
// Receives a move in place of EventSink, when the backend knows cgroups by path. Same thread.
using MoveSink = std::function<void(const hf_event&, const MovePaths&)>;

// The texts of the label names and values that the tables know by number.
struct LabelNames {
  std::vector<std::string> names;    // indexed by the number of the name
  std::vector<std::string> values;   // indexed by the id of the value; [0] is ""
  std::vector<std::string> may_set;  // the names that the profile's label.set lists
};

struct SessionSpec {
  const hf_tables* tables = nullptr;  // borrowed; outlives the session
  std::uint16_t profile = 0;          // the workload is a member of this profile
  // HF_NS_*: the namespaces that the child makes. They belong to the sandbox of the run, whether or
  // not the profile has ns_track.
  std::uint32_t unshare_types = 0;
  EventSink sink;
  LabelNames labels = {};
  MoveSink move_sink = {};  // empty: moves go to `sink`
  // Returns the profiles whose cgroup bindings contain this path, the deepest binding first.
  std::function<std::vector<std::uint16_t>(std::string_view path)> profiles_of_cgroup = {};
  // Receives messages for the user that are not decisions. Same thread as `sink`.
  std::function<void(std::string_view)> notice = {};
  GuardEventSink guard_sink = {};
};

// What the child does to itself between fork and exec. Plain data, because no destructor runs
// there. Both pointers are borrowed from the session.
struct ChildPlan {
  // Installed with SECCOMP_FILTER_FLAG_NEW_LISTENER; the child sends the listener over the channel.
  const sock_fprog* filter = nullptr;
  int landlock_fd = -1;  // for landlock_restrict_self(); -1: none
  bool no_new_privs = false;
  // The child joins the nested run with this key and makes its self-test so; 0: none.
  std::uint64_t join = 0;
};

// The forked child. It is blocked, and in its final namespaces. Descriptors are borrowed for the
// call of adopt().
struct Child {
  pid_t pid = -1;
  int pidfd = -1;
  // The cookie of the child's end of the channel to run/. Rules do not apply to that socket.
  std::uint64_t channel_cookie = 0;
  int listener_fd = -1;  // the seccomp listener; -1: the plan had no filter
  // Indexed by the bit number of HF_NS_*. -1: the type is not in unshare_types.
  std::array<int, HF_NS_COUNT> namespace_fd;
};

// What the workload made with delegated BPF privileges.
struct BpfUsage {
  std::uint64_t tokens = 0;
  std::uint64_t maps = 0;
  std::uint64_t programs = 0;
  std::uint64_t attached = 0;       // links, and programs that were attached without a link
  std::uint64_t most_maps = 0;      // the most that existed at one time
  std::uint64_t most_programs = 0;  // the most that existed at one time
  std::uint64_t most_memory = 0;    // the most bytes at one time, as core/bpf_memory.h counts them
};

// Calls that were refused without an event, since no rule is about them.
struct Unreported {
  std::uint64_t rings = 0;      // io_uring_setup(2), which the tree does not have
  std::uint64_t listeners = 0;  // seccomp(2) for a listener of its own
  std::uint64_t unread = 0;     // a fact about the caller could not be read

  [[nodiscard]] std::uint64_t all() const { return rings + listeners + unread; }
};

// The counters of decisions are documented in core/counters.h.
struct Totals : hf_counters {
  Totals() : hf_counters{} {}
  explicit Totals(const hf_counters& decisions) : hf_counters(decisions) {}

  std::uint64_t lost = 0;     // events that found no room in the ring buffer
  std::uint64_t guarded = 0;  // refused attacks on the enforcement itself; these are not decisions
  Unreported unreported = {};
  std::optional<BpfUsage> bpf = std::nullopt;  // empty: the backend does not count BPF objects
};

class Session {
 public:
  virtual ~Session() = default;
  virtual Result<ChildPlan> before_fork() = 0;
  // Errors: those of taking over the child. ETIMEDOUT and EPROTO (supervisor): the call of the
  // self-test did not arrive. After an error the child must not be released.
  virtual Result<void> adopt(const Child& child) = 0;
  // Descriptors to poll for reading. They stay the same from adopt() to finish().
  [[nodiscard]] virtual std::vector<int> poll_fds() const = 0;
  // Handles what is ready and does not wait for more. It may return while a descriptor is still
  // readable, and may take some milliseconds. Errors: the session cannot go on.
  virtual Result<void> dispatch() = 0;
  // As dispatch(), for who knows which of poll_fds() are readable.
  virtual Result<void> dispatch_ready(const std::vector<int>& readable) {
    (void)readable;
    return dispatch();
  }
  // False: certainly no member is alive.
  [[nodiscard]] virtual bool may_have_members() const { return true; }
  // Dispatches once more and returns the totals.
  virtual Result<Totals> finish() = 0;
};

class Backend {
 public:
  virtual ~Backend() = default;
  [[nodiscard]] virtual Enforcer enforcer() const = 0;
  // "lsm" or "supervisor".
  [[nodiscard]] std::string_view name() const { return to_string(enforcer()); }
  // Can this user use the backend on this kernel? The error gives the reason, as text for a user.
  [[nodiscard]] virtual Result<void> available() const = 0;
  // Which conditions of the kernel and the user hold. Attaches nothing.
  [[nodiscard]] virtual Conditions conditions() const = 0;
  // How strongly this backend enforces each RuleKind on this kernel: one entry for each. Attaches
  // nothing.
  [[nodiscard]] std::vector<Promise> promises() const {
    return promises_of(enforcer(), conditions());
  }
};

// Factories. Each is defined in the directory of its backend.
[[nodiscard]] std::unique_ptr<Backend> make_lsm_backend();
[[nodiscard]] std::unique_ptr<Backend> make_supervisor_backend();

// Prepares enforcement for one run, completely or not at all. Copies `spec`; what `spec` borrows has
// to outlive the session. Sessions of the lsm backend are opened by holdfastd (run/choice.h).
[[nodiscard]] Result<std::unique_ptr<Session>> open_supervised(const SessionSpec& spec);

}  // namespace holdfast::backend

#endif  // HOLDFAST_BACKEND_BACKEND_H
