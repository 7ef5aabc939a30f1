// SPDX-License-Identifier: Apache-2.0
#include "events/event_aggregator.h"

#include <algorithm>

namespace holdfast::daemon {

namespace {

constexpr std::uint64_t kWindowNs = 1000000000;
constexpr std::size_t kMaxKinds = 1024;

// Two events with the same key are equal. The key is the whole event without its time, id and
// thread. A shell loop makes each attempt from another child, so threads differ.
std::string key_of(const hf_event& event) {
  hf_event same = event;
  same.id = 0;
  same.time_ns = 0;
  same.repeats = 0;
  same.actor.pid = 0;
  return {reinterpret_cast<const char*>(&same), sizeof(same)};
}

}  // namespace

void EventAggregator::add(const hf_event& event, const Policy& policy, std::uint64_t now_ns) {
  if (entries_.size() >= kMaxKinds) flush();
  const auto [at, is_new] = entries_.try_emplace(key_of(event));
  Entry& entry = at->second;
  if (is_new) {
    entry.until_ns = now_ns + kWindowNs;
    due_ns_ = std::min(due_ns_, entry.until_ns);
    entry.policy = policy;
    sink_(event, policy);
    return;
  }
  entry.last = event;
  entry.count += 1 + event.repeats;
  if (entry.count > 1) aggregated_ += 1 + event.repeats;
}

void EventAggregator::hand_over(Entry& entry) {
  if (entry.count == 0) return;
  entry.last.repeats = entry.count - 1;
  sink_(entry.last, entry.policy);
}

void EventAggregator::flush_due(std::uint64_t now_ns) {
  if (now_ns < due_ns_) return;
  due_ns_ = kNever;
  for (auto at = entries_.begin(); at != entries_.end();) {
    Entry& entry = at->second;
    if (now_ns >= entry.until_ns) {
      hand_over(entry);
      at = entries_.erase(at);
      continue;
    }
    due_ns_ = std::min(due_ns_, entry.until_ns);
    ++at;
  }
}

void EventAggregator::flush() {
  for (auto& [key, entry] : entries_) hand_over(entry);
  entries_.clear();
  due_ns_ = kNever;
}

}  // namespace holdfast::daemon
