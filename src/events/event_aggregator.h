// SPDX-License-Identifier: Apache-2.0
// Repeated identical decisions become one event with a count: the first passes at once, those that
// follow within a second are counted, and one more event stands for all of them. So whoever repeats
// himself floods nobody, and every decision is in some event: it stands for 1 + repeats.
#ifndef HOLDFAST_EVENTS_EVENT_AGGREGATOR_H
#define HOLDFAST_EVENTS_EVENT_AGGREGATOR_H

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <unordered_map>

#include "core/abi.h"
#include "policy/compiled.h"

namespace holdfast::daemon {

// Not thread safe. Times are CLOCK_BOOTTIME, ns.
class EventAggregator {
 public:
  using Policy = std::shared_ptr<const policy::Compiled>;
  using Sink = std::function<void(const hf_event&, const Policy&)>;

  explicit EventAggregator(Sink sink) : sink_(std::move(sink)) {}

  void add(const hf_event& event, const Policy& policy, std::uint64_t now_ns);
  // Hands over what was counted a second ago or earlier.
  void flush_due(std::uint64_t now_ns);
  void flush();
  // When flush_due() has something to do, in ms from now; -1: never.
  [[nodiscard]] int timeout_ms(std::uint64_t now_ns) const;
  // Decisions that were counted instead of handed over.
  [[nodiscard]] std::uint64_t aggregated() const { return aggregated_; }

 private:
  struct Entry {
    hf_event last;
    Policy policy;
    std::uint64_t count = 0;
    std::uint64_t until_ns = 0;
  };
  void hand_over(Entry& entry);

  Sink sink_;
  std::unordered_map<std::string, Entry> entries_;
  std::uint64_t next_due_ns_ = 0;  // 0: nothing is held
  std::uint64_t aggregated_ = 0;
};

}  // namespace holdfast::daemon

#endif  // HOLDFAST_EVENTS_EVENT_AGGREGATOR_H
