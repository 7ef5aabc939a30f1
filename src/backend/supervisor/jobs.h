// SPDX-License-Identifier: Apache-2.0
// Calls that may block, made on duplicates, each in a thread of its own: the others are answered
// meanwhile.
//
// While its call is here, a caller wakes up for fatal signals only (WAIT_KILLABLE_RECV). So that
// handlers of other signals do not wait for a connection that may never come, pending signals are
// looked for, and a call whose caller has one is ended as the kernel would: restarted or EINTR, as
// the handler was installed.
#ifndef HOLDFAST_BACKEND_SUPERVISOR_JOBS_H
#define HOLDFAST_BACKEND_SUPERVISOR_JOBS_H

#include <atomic>
#include <functional>
#include <list>
#include <memory>
#include <thread>

#include "backend/notify/answer.h"
#include "base/fd.h"
#include "base/result.h"
#include "kernel/proc.h"
#include "kernel/seccomp.h"

namespace holdfast::backend::supervisor {

using namespace notify;

// One thread, but for the jobs themselves.
class Jobs {
 public:
  static Result<Jobs> create();
  Jobs(Jobs&&) = default;
  Jobs& operator=(Jobs&&) = delete;
  ~Jobs();  // ends all that still run

  // Runs `work` in a new thread that has no more capabilities than these, and gives its answer to
  // the call. EAGAIN: too many run already. `listener` is borrowed until the jobs are gone.
  Result<void> start(const seccomp_notif& call, kernel::TaskDirectory task,
                     std::uint64_t capabilities, kernel::Listener& listener,
                     std::function<Answer()> work);

  // Readable while something has to be looked after: then call look().
  [[nodiscard]] int timer_fd() const { return timer_.get(); }
  void look(const kernel::Listener& listener);

 private:
  struct Job {
    Job(std::uint64_t call, kernel::TaskDirectory caller) : id(call), task(std::move(caller)) {}
    std::uint64_t id;
    kernel::TaskDirectory task;
    std::atomic<bool> done = false;
    std::atomic<bool> interrupted = false;
    std::thread thread;
  };

  explicit Jobs(Fd timer) : timer_(std::move(timer)) {}

  Fd timer_;
  std::list<std::unique_ptr<Job>> running_;
};

}  // namespace holdfast::backend::supervisor

#endif  // HOLDFAST_BACKEND_SUPERVISOR_JOBS_H
