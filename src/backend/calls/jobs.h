// SPDX-License-Identifier: Apache-2.0
// Calls that may block, made on duplicates, each in a thread of its own: the others are answered
// meanwhile.
//
// While its call is here, a caller wakes up for fatal signals only (WAIT_KILLABLE_RECV). So that
// handlers of other signals do not wait for a connection that may never come, pending signals are
// looked for, and a call whose caller has one is ended as the kernel would: restarted or EINTR, as
// the handler was installed, or always EINTR where the socket has a time limit.
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

// What a call gets that a signal ends.
enum class Interrupted { restarts, ends };

struct Job {
  // Makes the call, in a thread of its own. Answer::deferred(): `finish` knows the answer.
  std::function<Answer()> work;
  // In the thread that calls look(). May be empty, where `work` never says so.
  std::function<Answer(const kernel::TaskDirectory& task)> finish = {};
  // The thread's effective capabilities are these at most, a bit each.
  std::uint64_t capabilities = ~std::uint64_t{0};
  Interrupted interrupted = Interrupted::restarts;
};

// One thread, but for the jobs themselves.
class Jobs {
 public:
  static Result<Jobs> create();
  Jobs(Jobs&&) = default;
  Jobs& operator=(Jobs&&) = delete;
  ~Jobs();  // ends all that still run; what they would have been answered is forgotten

  // Runs the job and answers the call. EAGAIN: too many run already. `listener` is borrowed until
  // the jobs are gone.
  Result<void> start(const seccomp_notif& call, kernel::TaskDirectory task,
                     kernel::Listener& listener, Job job);

  // Readable while something has to be looked after: then call look().
  [[nodiscard]] std::array<int, 2> poll_fds() const { return {timer_.get(), wakeup_.get()}; }
  // Does nothing where nothing has to be.
  void look(kernel::Listener& listener);

 private:
  struct Running {
    Running(std::uint64_t call, kernel::TaskDirectory caller, Job work)
        : id(call), task(std::move(caller)), job(std::move(work)) {}
    std::uint64_t id;
    kernel::TaskDirectory task;
    Job job;
    Answer answer = Answer::error(EPERM);  // the thread's, until `done`
    std::atomic<bool> done = false;
    std::atomic<bool> interrupted = false;
    std::thread thread;
  };

  Jobs(Fd timer, Fd wakeup) : timer_(std::move(timer)), wakeup_(std::move(wakeup)) {}

  Fd timer_;
  Fd wakeup_;  // a job waits to be finished
  std::list<std::unique_ptr<Running>> running_;
};

}  // namespace holdfast::backend::calls

#endif  // HOLDFAST_BACKEND_CALLS_JOBS_H
