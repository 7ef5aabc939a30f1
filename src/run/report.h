// SPDX-License-Identifier: Apache-2.0
// Reports decisions, and attacks on the enforcement itself, as they happen: as lines on stderr, as
// JSON in a file, and as counts for the summary.
#ifndef HOLDFAST_RUN_REPORT_H
#define HOLDFAST_RUN_REPORT_H

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "base/result.h"
#include "core/guard.h"
#include "events/event_budget.h"
#include "events/event_text.h"
#include "kernel/sockets/stream.h"
#include "policy/compiled.h"

namespace holdfast::run {

enum class EventFormat { pretty, json };

// How often one rule was the reason of a reported decision.
struct RuleHits {
  std::uint64_t refused = 0;
  std::uint64_t audited = 0;
  std::uint64_t locked = 0;
  std::uint64_t allowed = 0;
};

// Limits the output. The file gets as many events of one rule as its budget allows
// (events/event_budget.h), and the number of the others. On stderr equal refusals of one program
// are one line a second with a count, and there are at most kLinesPerSecond lines a second. One
// thread.
class Reporter {
 public:
  static constexpr unsigned kLinesPerSecond = 20;
  // One user may use the whole budget, because a run is one command.
  static constexpr policy::BudgetLimits kBudget = {.per_kind = 1024, .per_user = 1024};

  // `policy` is borrowed. `events_path` empty: no file. `policy_line` is the text of the policy as
  // JSON, by which events can be explained. It is written to the file before the first event.
  // Errors: those of creating the file.
  static Result<Reporter> create(const policy::Compiled& policy, EventFormat format,
                                 policy::Colour colour, const std::string& events_path,
                                 std::string policy_line);

  void event(const hf_event& event, const policy::EventPaths& paths);
  // Reports an attack on the enforcement itself. It belongs to no rule, so hits() does not count
  // it.
  void refusal(const hf_guard_event& refusal);
  // Writes the events that are aggregated but not written yet.
  void finish();
  [[nodiscard]] const std::map<std::uint32_t, RuleHits>& hits() const { return hits_; }
  // Lines on stderr about refusals.
  [[nodiscard]] std::uint64_t shown() const { return shown_; }
  // Events that could not be written to the file.
  [[nodiscard]] std::uint64_t unwritten() const { return unwritten_; }

 private:
  struct Reported {
    std::variant<hf_event, hf_guard_event> event;
    policy::EventPaths paths;
  };
  struct Aggregate {
    Reported last;
    std::uint64_t shown_ns;
    std::uint64_t count;  // since shown_ns
  };
  Reporter(const policy::Compiled& policy, EventFormat format, policy::Colour colour)
      : policy_(&policy), format_(format), colour_(colour), budget_(kBudget) {}
  void count(const hf_verdict& verdict);
  void write(const Reported& reported);
  void keep(const std::string& kind, std::string_view request, std::uint32_t user,
            std::uint64_t time_ns, const Reported& reported);
  void write(const std::vector<policy::EventBudget<Reported>::Counted>& counted);
  void fold(const std::string& key, std::uint64_t time_ns, const Reported& reported);
  void show(const Reported& reported, std::uint64_t repeats);
  void show_aggregated();
  [[nodiscard]] std::string line_of(const hf_event& event, const policy::EventPaths& paths) const;
  [[nodiscard]] std::string line_of(const hf_guard_event& refusal,
                                    const policy::EventPaths& paths) const;
  [[nodiscard]] bool may_show(std::uint64_t now_ns);

  const policy::Compiled* policy_;
  EventFormat format_;
  policy::Colour colour_;
  kernel::Stream file_;
  policy::EventBudget<Reported> budget_;
  std::string policy_line_;  // empty: written already
  std::map<std::string, Aggregate> aggregated_;
  std::map<std::uint32_t, RuleHits> hits_;
  std::uint64_t second_ = 0;  // lines_ counts the lines of this second
  unsigned lines_ = 0;
  std::uint64_t unshown_ = 0;
  std::uint64_t shown_ = 0;
  std::uint64_t unwritten_ = 0;
};

}  // namespace holdfast::run

#endif  // HOLDFAST_RUN_REPORT_H
