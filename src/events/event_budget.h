// SPDX-License-Identifier: Apache-2.0
// Evidence is not rolled over by noise. Whoever is refused can be refused again and again, each
// time as another process, at another port, so that no two events are the same; what is kept of
// events is bounded, and so would be what is kept of others. So each rule has so many events an
// hour, and those beyond are counted: one more record says how many a minute's were, by an example.
//
// Of those events a user has no more than a part, for others that break the same rule. What asks
// for something that was not asked for under this rule in this hour has a budget of its own, so
// that `holdfast learn` sees all that a program needs.
#ifndef HOLDFAST_EVENTS_EVENT_BUDGET_H
#define HOLDFAST_EVENTS_EVENT_BUDGET_H

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <unordered_set>
#include <utility>
#include <vector>

#include "core/abi.h"

namespace holdfast::policy {

// Times in ns.
struct BudgetLimits {
  std::uint32_t per_kind = 256;    // events of one kind in a period
  std::uint32_t per_user = 192;    // of which by one user
  std::uint32_t different = 1024;  // and of requests that are the first of their sort
  std::uint64_t period_ns = 3'600'000'000'000;
  std::uint64_t summary_ns = 60'000'000'000;  // what was counted is told so often
};

// Not thread safe. Times are CLOCK_BOOTTIME, ns.
template <typename Record>
class EventBudget {
 public:
  explicit EventBudget(BudgetLimits limits = {}) : limits_(limits) {}

  // Is it to be written? Else it is counted. `kind` is what shares a budget, and not for anybody to
  // choose freely: the rule and what it said. `request` is what was asked for. `event_count`:
  // decisions, this one and others like it.
  [[nodiscard]] bool admits(const std::string& kind, std::string_view request, std::uint32_t user,
                            std::uint64_t event_count, const Record& record, std::uint64_t now_ns) {
    Kind& one = kind_of(kind, now_ns);
    if (now_ns >= one.until_ns) one.begin(now_ns + limits_.period_ns);
    std::uint32_t& by_user = one.users[user];
    if (one.written < limits_.per_kind && by_user < limits_.per_user) {
      one.written++;
      by_user++;
      if (one.requests.size() < limits_.different)
        one.requests.insert(std::hash<std::string_view>()(request));
      return true;
    }
    if (by_user == 0) one.users.erase(user);
    if (one.requests.size() < limits_.different &&
        one.requests.insert(std::hash<std::string_view>()(request)).second)
      return true;
    if (one.records++ == 0) {
      one.due_ns = now_ns + limits_.summary_ns;
      if (due_ns_ == 0 || one.due_ns < due_ns_) due_ns_ = one.due_ns;
    }
    one.decisions += event_count;
    one.last = record;
    counted_ += event_count;
    return false;
  }

  // What was counted: `last` and others by the same rule, so many decisions in all.
  struct Counted {
    Record last;
    std::uint64_t records;
    std::uint64_t decisions;
  };
  // What has been for a summary's time.
  [[nodiscard]] std::vector<Counted> take_due(std::uint64_t now_ns) {
    if (due_ns_ == 0 || now_ns < due_ns_) return {};
    return take([now_ns](const Kind& kind) { return now_ns >= kind.due_ns; });
  }
  [[nodiscard]] std::vector<Counted> take_all() {
    return take([](const Kind&) { return true; });
  }
  // When take_due() has something, in ms from now; -1: never.
  [[nodiscard]] int timeout_ms(std::uint64_t now_ns) const {
    if (due_ns_ == 0) return -1;
    return now_ns >= due_ns_ ? 0 : static_cast<int>((due_ns_ - now_ns) / 1'000'000 + 1);
  }
  // Decisions that were counted instead of written.
  [[nodiscard]] std::uint64_t counted() const { return counted_; }

 private:
  // Rules of a policy, several times over; then all others are one kind.
  static constexpr std::size_t kMaxKinds = 16384;

  struct Kind {
    void begin(std::uint64_t until) {
      until_ns = until;
      written = 0;
      users.clear();
      requests.clear();
    }
    std::uint64_t until_ns = 0;
    std::uint32_t written = 0;
    std::unordered_map<std::uint32_t, std::uint32_t> users;
    std::unordered_set<std::size_t> requests;  // by hash: one that collides is counted
    Record last = {};
    std::uint64_t records = 0;  // counted and not told yet
    std::uint64_t decisions = 0;
    std::uint64_t due_ns = 0;
  };

  // Those of earlier policies, too, go once their hour is over.
  Kind& kind_of(const std::string& name, std::uint64_t now_ns) {
    if (const auto known = kinds_.find(name); known != kinds_.end()) return known->second;
    if (kinds_.size() >= kMaxKinds)
      std::erase_if(kinds_, [now_ns](const auto& entry) {
        return now_ns >= entry.second.until_ns && entry.second.records == 0;
      });
    return kinds_[kinds_.size() < kMaxKinds ? name : std::string()];
  }

  template <typename IsWanted>
  std::vector<Counted> take(IsWanted is_wanted) {
    std::vector<Counted> list;
    due_ns_ = 0;
    for (auto& [name, kind] : kinds_) {
      if (kind.records == 0) continue;
      if (!is_wanted(kind)) {
        if (due_ns_ == 0 || kind.due_ns < due_ns_) due_ns_ = kind.due_ns;
        continue;
      }
      list.push_back({std::exchange(kind.last, Record{}), std::exchange(kind.records, 0),
                      std::exchange(kind.decisions, 0)});
    }
    return list;
  }

  BudgetLimits limits_;
  std::unordered_map<std::string, Kind> kinds_;
  std::uint64_t due_ns_ = 0;  // 0: nothing is counted
  std::uint64_t counted_ = 0;
};

// What decisions share a budget by: the rule, what it said, and to whom.
[[nodiscard]] std::string budget_kind(const hf_event& event);
// The facts that were decided by.
[[nodiscard]] std::string_view budget_request(const hf_event& event);
// One event, hf_event or hf_guard_event, that stands for what was counted.
template <typename Event>
[[nodiscard]] Event counted_event(Event last, std::uint64_t records, std::uint64_t decisions) {
  last.repeats = decisions - 1;
  if (records > 1) last.repeats |= HF_REPEATS_DIFFER;
  return last;
}

}  // namespace holdfast::policy

#endif  // HOLDFAST_EVENTS_EVENT_BUDGET_H
