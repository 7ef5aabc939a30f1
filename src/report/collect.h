// SPDX-License-Identifier: Apache-2.0
// What a report shows of any number of events, in bounded memory.
#ifndef HOLDFAST_REPORT_COLLECT_H
#define HOLDFAST_REPORT_COLLECT_H

#include <array>
#include <cstddef>
#include <cstdint>
#include <map>
#include <set>
#include <string>
#include <vector>

#include "base/result.h"
#include "events/event_file.h"
#include "policy/policy_text.h"

namespace holdfast::report {

// How a decision ended. denied: refused. reported: refused in audit, so it was performed.
enum class Outcome { denied, reported, limited, locked, allowed };
inline constexpr std::size_t kOutcomeCount = 5;
using Counts = std::array<std::uint64_t, kOutcomeCount>;

// Decisions over time, in at most kMaxBars bars of equal width.
class Timeline {
 public:
  static constexpr std::size_t kMaxBars = 180;

  void add(std::uint64_t time_ns, Outcome outcome, std::uint64_t decisions);
  [[nodiscard]] std::uint64_t width_ns() const { return width_ns_; }
  // By time / width_ns(). Bars without decisions are missing.
  [[nodiscard]] const std::map<std::uint64_t, Counts>& bars() const { return bars_; }

 private:
  std::uint64_t width_ns_ = 1'000'000'000;
  std::map<std::uint64_t, Counts> bars_;
};

// Equal refusals: by the same line, of the same operation, by tasks of the same name.
struct Refusal {
  std::string place;  // "web.toml:5:1"; "": no line of the policy decided
  std::string rule;   // "namespaces.enter = \"none\""
  std::string profile;
  std::string operation;  // "setns(net)"
  std::string reason;
  std::string who;     // the name of the acting task
  std::string object;  // the name of the moved or traced task; may be empty
  std::uint64_t denied = 0;
  std::uint64_t reported = 0;
  policy::EventIds ids;
};

// Decisions about tasks that no profile holds.
struct Unprofiled {
  std::string who;
  std::string operation;
  Counts counts{};
};

// Decisions in which the acting task has one profile, and the sandbox or the moved task another.
struct Relation {
  std::string from;      // a profile; "": none
  std::string to;        // a profile
  bool is_move = false;  // else an entry into the sandbox of `to`
  auto operator<=>(const Relation&) const = default;
};

struct Collected {
  std::uint64_t events = 0;
  std::uint64_t decisions = 0;
  std::uint64_t first_ns = ~std::uint64_t{0};  // CLOCK_BOOTTIME
  std::uint64_t last_ns = 0;
  Counts totals{};
  Timeline timeline;
  std::vector<Refusal> refusals;       // those with the most decisions first
  std::uint64_t other_refusals = 0;    // decisions of further kinds, which are not listed
  std::vector<Unprofiled> unprofiled;  // those with the most decisions first
  std::uint64_t other_unprofiled = 0;
  std::map<Relation, Counts> relations;
  std::map<std::string, std::set<std::uint64_t>> sandboxes;  // by profile; at most kMaxSandboxes
  std::map<std::string, std::uint64_t> guard;  // attacks on the enforcement itself, by their sort
  std::vector<policy::PolicyText> policies;    // those in the file, each once
  std::string last_line;  // of the last decision that names its policy; may be empty
};

inline constexpr std::size_t kMaxKinds = 5000;  // of refusals, and of decisions without a profile
inline constexpr std::size_t kMaxSandboxes = 1000;
inline constexpr std::size_t kMaxRelations = 2000;

// Errors: those of the source; EINVAL a line is not an event.
[[nodiscard]] Result<Collected> collect(const policy::LineSource& lines);

}  // namespace holdfast::report

#endif  // HOLDFAST_REPORT_COLLECT_H
