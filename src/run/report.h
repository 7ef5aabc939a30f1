// SPDX-License-Identifier: Apache-2.0
// Decisions, and attempts on the enforcement itself, as they happen: on stderr for a reader, in a
// file for programs, and counted for the summary.
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

// How often a rule was the reason of a decision that was reported.
struct RuleHits {
  std::uint64_t refused = 0;
  std::uint64_t audited = 0;
  std::uint64_t locked = 0;
  std::uint64_t allowed = 0;
};

// One thread. To the file go as many events of one rule as its budget has (events/event_budget.h),
// and how many more there were; on stderr the same refusal by the same program is shown
// once a second with the number of those in between, and no more than kLinesPerSecond lines a
// second in all.
class Reporter {
 public:
  static constexpr unsigned kLinesPerSecond = 20;
  // All of it may be one user's: a run is one command's.
  static constexpr policy::BudgetLimits kBudget = {.per_kind = 1024, .per_user = 1024};

  // `policy` is borrowed. `events_path` empty: no file. `policy_line` is the file's first line,
  // which it has once there is an event: the text of the policy, to explain events by.
  static Result<Reporter> create(const policy::Compiled& policy, EventFormat format,
                                 policy::Colour colour, const std::string& events_path,
                                 std::string policy_line);

  void event(const hf_event& event, const policy::EventPaths& paths);
  // An attempt on the enforcement itself. It belongs to no rule, so it is not among hits().
  void refusal(const hf_guard_event& refusal);
  // Shows what was aggregated and not shown yet.
  void finish();
  [[nodiscard]] const std::map<std::uint32_t, RuleHits>& hits() const { return hits_; }
  // Events that could not be written to the file.
  [[nodiscard]] std::uint64_t unwritten() const { return unwritten_; }

 private:
  struct Reported {
    std::variant<hf_event, hf_guard_event> event;
    policy::EventPaths paths;
  };
  struct Folded {
    Reported last;
    std::uint64_t shown_ns;
    std::uint64_t count;  // since it was shown
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
  std::string policy_line_;  // empty: it is in the file
  std::map<std::string, Folded> aggregated_;
  std::map<std::uint32_t, RuleHits> hits_;
  std::uint64_t second_ = 0;  // of the lines counted in lines_
  unsigned lines_ = 0;
  std::uint64_t unshown_ = 0;
  std::uint64_t unwritten_ = 0;
};

}  // namespace holdfast::run

#endif  // HOLDFAST_RUN_REPORT_H
