// SPDX-License-Identifier: Apache-2.0
// Does what may block: performs calls on duplicates of the caller's descriptors, and reads memory of
// the tree. Each job has a thread for as long as it runs, so that the session can answer other calls
// meanwhile. A thread that has nothing to do is kept for the next job.
//
// While holdfast has its call, a caller wakes up for fatal signals only (WAIT_KILLABLE_RECV). Other
// signals would wait for a connection that may never come. So look() interrupts the job of a caller
// that has a pending signal. The call ends as in the kernel: it is restarted or fails with EINTR, as
// SA_RESTART of the signal's handler says. If the socket has a timeout, it always fails with EINTR.
//
// The pidfd of a caller tells of its death. A signal is reported to the caller alone. So look()
// reads every 20 ms whether a caller has one, in its first second. Calls that have waited longer are
// looked at together: /proc says how many signals wait for all tasks of a user, and while there are
// none, one number is read for all of them, ten times a second. Else each is looked at, for at most
// one fiftieth of the time.
//
// A cgroup that is to be frozen waits for all its tasks. So the calls of a second and more also end when
// the caller's cgroup has to freeze, and are made again when it is thawed.
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
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <utility>

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
  // Makes the answer, in the thread that calls look(), after `work` has ended. It may start the next
  // job of the same call, and return Answer::deferred(). May be empty if `work` never returns
  // deferred(). `task` is the directory that start() was given.
  std::function<Answer(const kernel::TaskDirectory& task)> finish = {};
  // Upper limit of the job thread's effective capabilities: bit N is capability N.
  std::uint64_t capabilities = ~std::uint64_t{0};
  Interrupted interrupted = Interrupted::restarts;
  // Call `finish` also if the caller has died before it got the descriptor that `work` answered. Then
  // its result is not used. `finish` may then keep no duplicate of the caller's descriptors.
  bool finish_undelivered = false;
};

// All members are called on the session's thread. A job's thread runs `work`, sends its answer, and
// shares nothing else with this class.
class Jobs {
 public:
  static Result<Jobs> create();
  Jobs(Jobs&&) = default;
  Jobs& operator=(Jobs&&) = delete;
  // Interrupts the jobs that still run and waits for their threads, for at most a second: a thread
  // may be in a read of memory that nothing interrupts. Deferred answers are dropped.
  ~Jobs();

  // Starts the job, which answers `call`. `task` was opened for the calling thread. `listener` is
  // borrowed until this object is destroyed. Errors: EAGAIN 4096 jobs run already, or there can be
  // no thread; those of arming the timer, after which the job runs all the same.
  Result<void> start(const seccomp_notif& call, kernel::TaskDirectory task,
                     kernel::Listener& listener, Job job);

  // The call of this job gets, or will get, its answer from elsewhere. The job is interrupted then.
  void answered_elsewhere(std::uint64_t call);

  // A descriptor is readable when look() has to be called.
  [[nodiscard]] std::array<int, 3> poll_fds() const;
  // Finishes jobs that have ended, and interrupts those whose caller has died or has a signal
  // pending. Does nothing if no descriptor is readable.
  void look(kernel::Listener& listener);

 private:
  struct Running;
  struct Pool;
  using Group = std::pair<kernel::NamespaceInode, std::uint32_t>;  // user namespace and user
  void interrupt(Running& job);
  void finish_ended(kernel::Listener& listener);
  void end_of_callers(kernel::Listener& listener, bool all);
  void watch_for_death(Running& job, kernel::Listener& listener);
  void look_for_signals(kernel::Listener& listener);
  [[nodiscard]] bool is_to_freeze(Running& job, std::map<std::string, bool>& known);
  [[nodiscard]] bool may_have_signal(Running& job, std::map<Group, bool>& known);

  Jobs(Fd timer, Fd wakeup, Fd deaths, std::shared_ptr<Pool> pool);

  Fd timer_;
  Fd wakeup_;                                    // readable: a job has ended
  Fd deaths_;                                    // readable: a caller has died
  std::shared_ptr<Pool> pool_;                   // shared with the threads
  std::list<std::shared_ptr<Running>> running_;  // oldest first
  std::uint64_t next_long_look_ns_ = 0;
};

}  // namespace holdfast::backend::calls

#endif  // HOLDFAST_BACKEND_CALLS_JOBS_H
