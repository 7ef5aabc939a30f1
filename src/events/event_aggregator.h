// SPDX-License-Identifier: Apache-2.0
// Combines equal decisions into one event with a count. The first decision is passed on at once.
// Equal ones within the next second are counted, and one more event then stands for all of them. So
// repeated attempts cannot flood the log, and no decision is lost: an event stands for 1 + repeats
// decisions.
#ifndef HOLDFAST_EVENTS_EVENT_AGGREGATOR_H
#define HOLDFAST_EVENTS_EVENT_AGGREGATOR_H

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <unordered_map>

#include "base/deadline.h"
#include "core/abi.h"
#include "policy/compiled.h"

namespace holdfast::daemon {

// One thread. Times are CLOCK_BOOTTIME in ns.
class EventAggregator {
 public:
  using Policy = std::shared_ptr<const policy::Compiled>;
  using Sink = std::function<void(const hf_event&, const Policy&)>;

  explicit EventAggregator(Sink sink) : sink_(std::move(sink)) {}

  void add(const hf_event& event, const Policy& policy, std::uint64_t now_ns);
  // Passes on the counted events whose second is over.
  void flush_due(std::uint64_t now_ns);
  void flush();
  // When flush_due() has to be called.
  [[nodiscard]] std::uint64_t due_ns() const { return due_ns_; }
  // The number of decisions that were only counted.
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
  std::uint64_t due_ns_ = kNever;
  std::uint64_t aggregated_ = 0;
};

}  // namespace holdfast::daemon

#endif  // HOLDFAST_EVENTS_EVENT_AGGREGATOR_H
