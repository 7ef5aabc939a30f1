// SPDX-License-Identifier: Apache-2.0
// What a backend is: it promises, it attaches whole or not at all, it serves one session.
//
// Order of calls for one `holdfast run`, all from one thread:
//
//   backend->open(spec)            attached, proven by a self-test; nothing of the workload runs yet
//   session->before_fork()         what the child has to do to itself; a backend that marks the
//   child
//                                  at fork arms itself here: the very next fork of this thread is
//                                  the child
//   fork; the child makes its namespaces, follows its ChildPlan, then blocks
//   session->adopt(child)          from its return on the child and all it forks are held
//   the child is released and execs CMD
//   poll(session->poll_fds()) and session->dispatch() until CMD has ended
//   session->finish()              totals; destroying the session leaves nothing attached
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

#include "base/fd.h"
#include "base/result.h"
#include "core/counters.h"
#include "core/guard.h"

namespace holdfast::backend {

// How far a rule can be relied on, weakest first.
enum class Strength { none, best_effort, enforced };

// Kinds of rules that a policy can state, for strength reports.
enum class RuleKind {
  namespaces_create,
  namespaces_enter,
  namespaces_visitors,
  trace,
  cgroups_leave,
  cgroups_join,
  cgroups_inside,
  mark,
  socket,
  label,
  bpf_delegate,
};
inline constexpr std::size_t kRuleKindCount = 11;

struct Promise {
  RuleKind kind;
  Strength strength;
  std::string why;  // what limits it, in one sentence; empty when enforced without reservation
};

// Receives every decision that is to be reported. Called from the thread that calls dispatch().
using EventSink = std::function<void(const hf_event&)>;
// The same for attempts on the enforcement itself, which are refused whatever the policy says.
using GuardEventSink = std::function<void(const hf_guard_event&)>;

// The same for a move between cgroups that the backend knows by path, below the root of the
// caller's cgroup namespace.
struct MovePaths {
  std::string source;
  std::string target;
};
using MoveSink = std::function<void(const hf_event&, const MovePaths&)>;

// What the tables say about labels by number, in words.
struct LabelNames {
  std::vector<std::string> names;    // by index of a label name
  std::vector<std::string> values;   // by id of a value; [0] is ""
  std::vector<std::string> may_set;  // names that the profile's label.set lists
};

struct SessionSpec {
  const hf_tables* tables = nullptr;  // borrowed: outlives the session
  std::uint16_t profile = 0;          // the profile that the workload is a member of
  std::uint32_t unshare_types =
      0;  // HF_NS_* that the child makes; with ns_track or not, they are this sandbox's set
  EventSink sink;
  LabelNames labels = {};
  MoveSink move_sink = {};
  // The profiles whose cgroups hold this path, deepest first.
  std::function<std::vector<std::uint16_t>(std::string_view path)> profiles_of_cgroup = {};
  // Told what is no decision but should be known. Called as `sink` is.
  std::function<void(std::string_view)> notice = {};
  GuardEventSink guard_sink = {};
};

// What the child does to itself between fork and exec. Plain data: no destructor runs there.
struct ChildPlan {
  const sock_fprog* filter =
      nullptr;           // installed with NEW_LISTENER; the listener goes back over the channel
  int landlock_fd = -1;  // ruleset to restrict itself with; borrowed
  bool no_new_privs = false;
};

// The forked child, blocked, in its final namespaces. Descriptors are borrowed.
struct Child {
  pid_t pid = -1;
  int pidfd = -1;
  std::uint64_t channel_cookie =
      0;                 // its end of the channel to run/: what goes over it is no act of CMD
  int listener_fd = -1;  // seccomp listener; -1 if the plan had no filter
  std::array<int, HF_NS_COUNT>
      namespace_fd;  // by bit number of HF_NS_*: each type in unshare_types, else -1
};

// What was made with delegated BPF privileges.
struct BpfUsage {
  std::uint64_t tokens = 0;
  std::uint64_t maps = 0;
  std::uint64_t programs = 0;
  std::uint64_t attached = 0;       // links, and programs without one
  std::uint64_t most_maps = 0;      // at one time
  std::uint64_t most_programs = 0;  // at one time
  std::uint64_t most_memory = 0;    // bytes, as core/bpf_memory.h counts
};

// core/counters.h says what each counter of decisions means.
struct Totals : hf_counters {
  Totals() : hf_counters{} {}
  explicit Totals(const hf_counters& decisions) : hf_counters(decisions) {}

  std::uint64_t lost = 0;     // events that did not fit the ring
  std::uint64_t guarded = 0;  // attempts on the enforcement itself that were refused; no decisions
  std::optional<BpfUsage> bpf = std::nullopt;  // where the backend decides about it
};

class Session {
 public:
  virtual ~Session() = default;
  virtual Result<ChildPlan> before_fork() = 0;
  virtual Result<void> adopt(const Child& child) = 0;
  // Descriptors to poll for reading. Stable between adopt() and finish().
  [[nodiscard]] virtual std::vector<int> poll_fds() const = 0;
  // Handles whatever is ready, without blocking.
  virtual Result<void> dispatch() = 0;
  // Drains what is left and returns the totals.
  virtual Result<Totals> finish() = 0;
};

class Backend {
 public:
  virtual ~Backend() = default;
  // "lsm" or "supervisor".
  [[nodiscard]] virtual std::string_view name() const = 0;
  // Can it be used here, now, by this user? The error says why not, for a reader.
  [[nodiscard]] virtual Result<void> available() const = 0;
  // What it promises on this kernel, one entry for each RuleKind. Cheap; attaches nothing.
  [[nodiscard]] virtual std::vector<Promise> promises() const = 0;
  // Attaches and proves enforcement with a self-test. Attached whole or not at all.
  virtual Result<std::unique_ptr<Session>> open(const SessionSpec& spec) = 0;
};

[[nodiscard]] std::string_view to_string(Strength strength);
[[nodiscard]] std::string_view to_string(RuleKind kind);

// Factories, one in each backend's room.
[[nodiscard]] std::unique_ptr<Backend> make_lsm_backend();
[[nodiscard]] std::unique_ptr<Backend> make_supervisor_backend();

}  // namespace holdfast::backend

#endif  // HOLDFAST_BACKEND_BACKEND_H
