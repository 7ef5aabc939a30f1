// SPDX-License-Identifier: Apache-2.0
// Performs calls that may block, on duplicates of the caller's descriptors. Each call runs in a
// thread of its own, so that the session can answer others meanwhile.
//
// While holdfast has its call, a caller wakes up for fatal signals only (WAIT_KILLABLE_RECV). Other
// signals would wait for a connection that may never come. So look() checks every 20 ms whether a
// caller has a pending signal, or every 100 ms if all calls have waited for a second, and then interrupts its job. The call ends as in the kernel: it is
// restarted or fails with EINTR, as SA_RESTART of the signal's handler says. If the socket has a
// timeout, it always fails with EINTR.
//
// ERESTARTSYS makes the kernel restart a call, but only of a thread that was told of a signal. To
// any other thread the number would be returned. A signal that was sent to a process of several
// threads may be for any of them. So if it still waits at the second look, one thread of the process
// is interrupted, the first one first, and its call fails with EINTR. If the signal waits for
// another thread, that one follows at the next look.
#ifndef HOLDFAST_BACKEND_CALLS_JOBS_H
#define HOLDFAST_BACKEND_CALLS_JOBS_H

#include <array>
#include <atomic>
#include <cerrno>
#include <cstdint>
#include <functional>
#include <list>
#include <memory>
#include <thread>

#include "backend/calls/answer.h"
#include "base/fd.h"
#include "base/result.h"
#include "kernel/proc/proc.h"
#include "kernel/process/seccomp.h"

namespace holdfast::backend::calls {

// The result of a call that a signal interrupts. restarts: ERESTARTSYS. ends: EINTR.
enum class Interrupted { restarts, ends };

struct Job {
  // Performs the call, in the job's own thread. Returns the answer, or Answer::deferred() if
  // `finish` has to make it.
  std::function<Answer()> work;
  // Makes the answer, in the thread that calls look(), after `work` has ended. May be empty if
  // `work` never returns deferred(). `task` is the directory that start() was given.
  std::function<Answer(const kernel::TaskDirectory& task)> finish = {};
  // Upper limit of the job thread's effective capabilities: bit N is capability N.
  std::uint64_t capabilities = ~std::uint64_t{0};
  Interrupted interrupted = Interrupted::restarts;
};

// All members are called on the session's thread. A job's thread runs `work`, sends its answer, and
// shares nothing else with this class.
class Jobs {
 public:
  static Result<Jobs> create();
  Jobs(Jobs&&) = default;
  Jobs& operator=(Jobs&&) = delete;
  // Interrupts the jobs that still run and waits for their threads. Deferred answers are dropped.
  ~Jobs();

  // Starts the job, which answers `call`. `task` was opened for the calling thread. `listener` is
  // borrowed until this object is destroyed. Errors: EAGAIN 4096 jobs run already, or there can be no thread; those of arming
  // the timer, after which the job runs all the same.
  Result<void> start(const seccomp_notif& call, kernel::TaskDirectory task,
                     kernel::Listener& listener, Job job);

  // A descriptor is readable when look() has to be called.
  [[nodiscard]] std::array<int, 2> poll_fds() const { return {timer_.get(), wakeup_.get()}; }
  // Finishes jobs that have ended, and interrupts those whose caller has died or has a signal
  // pending. Does nothing if no descriptor is readable.
  void look(kernel::Listener& listener);

 private:
  struct Running {
    Running(std::uint64_t call, kernel::TaskDirectory caller, Job work)
        : id(call), task(std::move(caller)), job(std::move(work)) {}
    std::uint64_t id;
    kernel::TaskDirectory task;
    Job job;
    Answer answer = Answer::error(EPERM);  // the job's thread writes it before it sets `done`
    std::atomic<bool> done = false;
    std::atomic<bool> interrupted = false;
    std::atomic<bool> may_restart = false;  // the caller itself has a signal
    std::uint64_t started_ns = 0;
    unsigned doubtful_looks = 0;  // in a row: the signal may be another thread's
    std::thread thread;
  };
  void interrupt(Running& job);

  Jobs(Fd timer, Fd wakeup) : timer_(std::move(timer)), wakeup_(std::move(wakeup)) {}

  Fd timer_;
  Fd wakeup_;                                    // readable: a job waits for its `finish`
  std::list<std::unique_ptr<Running>> running_;  // oldest first
};

}  // namespace holdfast::backend::calls

#endif  // HOLDFAST_BACKEND_CALLS_JOBS_H
