// SPDX-License-Identifier: Apache-2.0
// Limits the number of events that are written, so that many events do not push others out of a log
// of bounded size.
//
// A process can cause any number of refusals that all differ, for instance by other pids and ports.
// So each rule may write a number of events in each hour. Further ones are counted, and once a
// minute one record has their number and one of them as an example.
//
// One user may use only a part of a rule's budget, so that events of other users are written too. A
// request that is new under this rule in this hour has an additional budget, so that `holdfast
// learn` gets all kinds of requests that a program makes.
#ifndef HOLDFAST_EVENTS_EVENT_BUDGET_H
#define HOLDFAST_EVENTS_EVENT_BUDGET_H

#include <algorithm>
#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <unordered_set>
#include <utility>
#include <vector>

#include "base/deadline.h"
#include "core/abi.h"

namespace holdfast::policy {

struct BudgetLimits {
  std::uint32_t per_kind = 256;    // events of one kind in a period
  std::uint32_t per_user = 192;    // the part of them that one user may use
  std::uint32_t different = 1024;  // additional events in a period, for requests that are new
  std::uint64_t period_ns = 3'600'000'000'000;
  std::uint64_t summary_ns = 60'000'000'000;  // the time between two records with counts
};

// One thread. Times are CLOCK_BOOTTIME in ns.
template <typename Record>
class EventBudget {
 public:
  explicit EventBudget(BudgetLimits limits = {}) : limits_(limits) {}

  // Returns true if the record has to be written. Otherwise counts it. All events of one `kind`
  // share a budget; a kind is a rule and its verdict, so that a process cannot make new kinds.
  // `request` has the facts of the request. `event_count` is the number of decisions that the
  // record stands for.
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
      due_ns_ = std::min(due_ns_, one.due_ns);
    }
    one.decisions += event_count;
    one.last = record;
    counted_ += event_count;
    return false;
  }

  // Counted records of one kind: the last of them, their number, and the number of decisions.
  struct Counted {
    Record last;
    std::uint64_t records;
    std::uint64_t decisions;
  };
  // Returns and forgets the counts whose summary time is over.
  [[nodiscard]] std::vector<Counted> take_due(std::uint64_t now_ns) {
    if (now_ns < due_ns_) return {};
    return take([now_ns](const Kind& kind) { return now_ns >= kind.due_ns; });
  }
  [[nodiscard]] std::vector<Counted> take_all() {
    return take([](const Kind&) { return true; });
  }
  // When take_due() returns something.
  [[nodiscard]] std::uint64_t due_ns() const { return due_ns_; }
  // The number of decisions that were counted and not written.
  [[nodiscard]] std::uint64_t counted() const { return counted_; }

 private:
  // Several times the number of rules of a policy. Beyond it, all other kinds share one budget.
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
    std::unordered_set<std::size_t> requests;  // hashes; a request with an equal hash is not new
    Record last = {};
    std::uint64_t records = 0;  // counted and not returned yet
    std::uint64_t decisions = 0;
    std::uint64_t due_ns = 0;
  };

  // Drops kinds whose period is over, including those of earlier policies, if there are too many.
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
    due_ns_ = kNever;
    for (auto& [name, kind] : kinds_) {
      if (kind.records == 0) continue;
      if (!is_wanted(kind)) {
        due_ns_ = std::min(due_ns_, kind.due_ns);
        continue;
      }
      list.push_back({std::exchange(kind.last, Record{}), std::exchange(kind.records, 0),
                      std::exchange(kind.decisions, 0)});
    }
    return list;
  }

  BudgetLimits limits_;
  std::unordered_map<std::string, Kind> kinds_;
  std::uint64_t due_ns_ = kNever;
  std::uint64_t counted_ = 0;
};

// The kind of an event: its rule, its verdict and its profile.
[[nodiscard]] std::string budget_kind(const hf_event& event);
// The facts of the request, as bytes. Borrows the event.
[[nodiscard]] std::string_view budget_request(const hf_event& event);
// Makes the event (hf_event or hf_guard_event) that stands for all counted ones.
template <typename Event>
[[nodiscard]] Event counted_event(Event last, std::uint64_t records, std::uint64_t decisions) {
  last.repeats = decisions - 1;
  if (records > 1) last.repeats |= HF_REPEATS_DIFFER;
  return last;
}

}  // namespace holdfast::policy

#endif  // HOLDFAST_EVENTS_EVENT_BUDGET_H
