// SPDX-License-Identifier: Apache-2.0
// An event loop for one thread: it waits for descriptors, times and signals, and calls handlers.
// Times are CLOCK_BOOTTIME, ns.
#ifndef HOLDFAST_KERNEL_EVENT_LOOP_H
#define HOLDFAST_KERNEL_EVENT_LOOP_H

#include <cstddef>
#include <cstdint>
#include <functional>
#include <vector>

#include "base/deadline.h"
#include "base/result.h"
#include "kernel/process/process.h"

namespace holdfast::kernel {

// What a part of the program waits for: one of these descriptors to be ready, or a time to come.
struct Interest {
  std::vector<Awaited> awaited;  // the descriptors are borrowed
  std::uint64_t due_ns = kNever;
};

// The calls that the loop makes. A test replaces them.
struct WaitCalls {
  std::function<std::uint64_t()> now_ns = boottime_ns;
  std::function<Result<std::vector<short>>(const std::vector<Awaited>&, int)> poll = poll_for;
};

// The loop calls poll(2), so it reports a descriptor in every turn in which it is ready.
//
// In each turn it asks every entry what to wait for, waits once, and calls the handlers in the
// order in which the entries were added. A handler may change what any entry waits for: the loop
// asks again before the next wait, so no wake-up is lost. A handler must not add an entry.
//
// Not thread safe. Another thread wakes the loop through a descriptor (kernel/wakeup.h).
class EventLoop {
 public:
  // `events`: events of poll(2). At least one that was asked for, or POLLHUP, POLLERR or POLLNVAL.
  using DescriptorHandler = std::function<Result<void>(short events)>;
  using Handler = std::function<Result<void>()>;
  using SignalHandler = std::function<Result<void>(const Signal&)>;

  explicit EventLoop(WaitCalls calls = {}) : calls_(std::move(calls)) {}

  // `fd` is borrowed. An empty `handle`: the descriptor only ends the wait. When the descriptor has
  // hung up and none of `events` is left, the loop calls `handle` once and then ignores it.
  void add_descriptor(int fd, short events, DescriptorHandler handle);
  // Removes the entry of `fd`, if there is one. A handler may call it.
  void remove_descriptor(int fd);
  // Calls `handle` in each turn at whose end the time has come. `handle` sets a later time.
  void add_timer(std::function<std::uint64_t()> due_ns, std::function<void()> handle);
  // Calls `handle` for each pending signal of `signal_fd`, a borrowed result of open_signalfd().
  void add_signals(int signal_fd, SignalHandler handle);
  // Calls `dispatch` after each wait. An empty `interest`: it waits for nothing. The loop spins if
  // `dispatch` leaves a descriptor ready, or a time that has come, in the next interest.
  void add_source(std::function<Interest()> interest, Handler dispatch);

  // Makes turns until stop() is called. Errors: of poll(2); the first error of a handler.
  [[nodiscard]] Result<void> run();
  // One turn. A signal that interrupts poll(2) ends the wait.
  [[nodiscard]] Result<void> turn();
  // For handlers: the turn ends without another call, and run() returns.
  void stop() { stopped_ = true; }

 private:
  struct Entry {
    std::function<Interest()> interest;
    std::function<Result<void>(Entry&, const short* events)>
        handle;   // of what it awaited, in order
    int fd = -1;  // of add_descriptor() and add_signals()
    short events = 0;
    std::size_t awaited = 0;  // so many of this turn's are its own
  };
  [[nodiscard]] Result<void> call_all(const std::vector<short>& events);
  static void forget_if_ended(Entry& entry, short events);

  WaitCalls calls_;
  std::vector<Entry> entries_;
  bool stopped_ = false;
};

}  // namespace holdfast::kernel

#endif  // HOLDFAST_KERNEL_EVENT_LOOP_H
