// SPDX-License-Identifier: Apache-2.0
#include "kernel/event_loop.h"

#include <poll.h>

#include <algorithm>
#include <utility>

namespace holdfast::kernel {

// poll(2) reports a hang-up in every turn, even if only other events were asked for.
void EventLoop::forget_if_ended(Entry& entry, short events) {
  if (!(events & entry.events) && (events & (POLLHUP | POLLERR | POLLNVAL))) entry.fd = -1;
}

void EventLoop::add_descriptor(int fd, short events, DescriptorHandler handle) {
  Entry entry;
  entry.fd = fd;
  entry.events = events;
  entry.handle = [handle = std::move(handle)](Entry& self, const short* got) -> Result<void> {
    if (self.fd < 0 || *got == 0) return {};
    forget_if_ended(self, *got);
    if (!handle) return {};
    return handle(*got);
  };
  entries_.push_back(std::move(entry));
}

void EventLoop::remove_descriptor(int fd) {
  const auto at = std::ranges::find(entries_, fd, &Entry::fd);
  if (fd >= 0 && at != entries_.end()) at->fd = -1;
}

void EventLoop::add_timer(std::function<std::uint64_t()> due_ns, std::function<void()> handle) {
  Entry entry;
  entry.interest = [due_ns] { return Interest{{}, due_ns()}; };
  entry.handle = [this, due_ns = std::move(due_ns), handle = std::move(handle)](
                     Entry&, const short*) -> Result<void> {
    const std::uint64_t due = due_ns();
    if (due != kNever && due <= calls_.now_ns()) handle();
    return {};
  };
  entries_.push_back(std::move(entry));
}

void EventLoop::add_signals(int signal_fd, SignalHandler handle) {
  add_descriptor(signal_fd, POLLIN,
                 [this, signal_fd, handle = std::move(handle)](short) -> Result<void> {
                   while (!stopped_) {
                     const auto signal = read_signal(signal_fd);
                     if (!signal) break;
                     HF_TRY(handle(*signal));
                   }
                   return {};
                 });
}

void EventLoop::add_source(std::function<Interest()> interest, Handler dispatch) {
  Entry entry;
  entry.interest = std::move(interest);
  entry.handle = [dispatch = std::move(dispatch)](Entry&, const short*) { return dispatch(); };
  entries_.push_back(std::move(entry));
}

Result<void> EventLoop::run() {
  do HF_TRY(turn());
  while (!stopped_);
  return {};
}

Result<void> EventLoop::turn() {
  stopped_ = false;
  std::vector<Awaited> awaited;
  std::uint64_t due_ns = kNever;
  for (Entry& entry : entries_) {
    const std::size_t before = awaited.size();
    if (entry.interest) {
      const Interest interest = entry.interest();
      awaited.insert(awaited.end(), interest.awaited.begin(), interest.awaited.end());
      due_ns = std::min(due_ns, interest.due_ns);
    } else {
      awaited.push_back({entry.fd, entry.events});
    }
    entry.awaited = awaited.size() - before;
  }
  HF_TRY_ASSIGN(const auto events, calls_.poll(awaited, timeout_ms(due_ns, calls_.now_ns())));
  return call_all(events);
}

Result<void> EventLoop::call_all(const std::vector<short>& events) {
  const short* of_entry = events.data();
  for (Entry& entry : entries_) {
    HF_TRY(entry.handle(entry, of_entry));
    if (stopped_) return {};
    of_entry += entry.awaited;
  }
  return {};
}

}  // namespace holdfast::kernel
