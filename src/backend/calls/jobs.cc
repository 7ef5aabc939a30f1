// SPDX-License-Identifier: Apache-2.0
#include "backend/calls/jobs.h"

#include <pthread.h>

#include <algorithm>
#include <chrono>
#include <condition_variable>
#include <deque>
#include <mutex>
#include <shared_mutex>
#include <system_error>
#include <thread>
#include <vector>

#include "kernel/cgroup/cgroup_files.h"
#include "kernel/files/text_file.h"
#include "kernel/process/process.h"
#include "kernel/sockets/socket_calls.h"
#include "kernel/timer.h"
#include "kernel/wakeup.h"

namespace holdfast::backend::calls {
namespace {

constexpr std::size_t kMaxJobs = 4096;
constexpr unsigned kMaxIdle = 4;
constexpr std::uint64_t kNsPerMs = 1'000'000;
constexpr std::uint64_t kLookMs = 20;
// A call that has waited for a second may wait for hours.
constexpr std::uint64_t kLongNs = 1000 * kNsPerMs;
constexpr std::uint64_t kLongLookMs = 100;
constexpr std::uint64_t kLookShare = 50;  // looks at single calls take at most 1/50 of the time
constexpr unsigned kEndingUs = 500;
constexpr std::uint64_t kEndingNs = 1000 * kNsPerMs;
constexpr unsigned kDoubtfulLooks = 2;
// Internal to the kernel: it restarts the call or returns EINTR, as SA_RESTART says.
constexpr int kRestart = 512;  // ERESTARTSYS

}  // namespace

struct Jobs::Running {
  Running(const seccomp_notif& received, kernel::TaskDirectory caller, kernel::Listener& to,
          Job work)
      : id(received.id),
        thread_number(static_cast<pid_t>(received.pid)),
        task(std::move(caller)),
        listener(to),
        job(std::move(work)) {}
  std::uint64_t id;
  pid_t thread_number;
  kernel::TaskDirectory task;
  kernel::Listener& listener;
  Job job;
  Answer answer = Answer::error(EPERM);  // the job's thread writes it before it sets `done`
  std::atomic<bool> done = false;
  std::atomic<bool> interrupted = false;
  std::atomic<bool> may_restart = false;  // the caller itself has a signal
  std::uint64_t started_ns = 0;
  unsigned doubtful_looks = 0;  // in a row: the signal may be another thread's
  bool watched = false;         // `death` was tried
  Fd death = {};                // a pidfd of the calling thread; invalid: the kernel has none
  std::optional<Group> group = {};
  std::string cgroup = {};  // as TaskDirectory::cgroup(), some looks ago
  unsigned cgroup_looks = 0;
  std::optional<pthread_t> thread = {};  // while it runs; guarded by the pool's mutex
  std::list<std::shared_ptr<Running>>::iterator place = {};  // in running_
};

// The threads. It outlives the Jobs while a thread is in a call that nothing interrupts.
struct Jobs::Pool {
  explicit Pool(Fd wakeup_fd) : wakeup(std::move(wakeup_fd)) {}

  void work();
  void run(Running& job);
  void end_interruptions(Running& job);

  Fd wakeup;
  std::mutex mutex;  // guards the members up to `ending`
  std::condition_variable arrived;
  std::condition_variable left;
  std::deque<std::shared_ptr<Running>> waiting;
  std::vector<std::shared_ptr<Running>> ended;
  unsigned idle = 0;
  unsigned threads = 0;
  bool ending = false;
  // Where the unified hierarchy is mounted; "": nowhere. Read when first needed.
  std::optional<std::string> hierarchy;
  // Shared: a thread answers. Exclusive: the listener is about to be destroyed.
  std::shared_mutex answering;
  bool closed = false;  // guarded by `answering`
};

void Jobs::Pool::run(Running& job) {
  Answer answer = Answer::error(EINTR);
  if (!job.interrupted) {
    answer = Answer::error(EPERM);
    const auto limited = kernel::LimitedCapabilities::begin(job.job.capabilities);
    if (limited) answer = job.job.work();
  }
  if (job.interrupted && job.may_restart && job.job.interrupted == Interrupted::restarts &&
      answer.kind == Answer::Kind::error && answer.value == EINTR)
    answer = Answer::error(kRestart);
  // Closes the duplicates of the caller's descriptors, before it can close its own.
  job.job.work = nullptr;
  const bool may_finish = answer.kind == Answer::Kind::deferred ||
                          (answer.kind == Answer::Kind::descriptor && job.job.finish_undelivered);
  if (!may_finish) job.job.finish = nullptr;
  if (answer.kind != Answer::Kind::deferred) {
    // An answer that is a descriptor waits until the caller has it. Interrupted meanwhile, it would be
    // taken back, and the caller's call would return 0 (seccomp_notify_addfd() of the kernel).
    end_interruptions(job);
    const std::shared_lock lock(answering);
    const auto delivered = closed ? Result<bool>(true) : deliver(job.listener, job.id, answer);
    if (may_finish && delivered && !*delivered)
      answer = Answer::deferred();
    else
      job.job.finish = nullptr;
  }
  // Keeps no descriptor.
  job.answer = answer.kind == Answer::Kind::deferred ? Answer::deferred() : Answer::caller_gone();
}

void Jobs::Pool::end_interruptions(Running& job) {
  {
    const std::lock_guard lock(mutex);
    job.thread.reset();
  }
  if (job.interrupted) kernel::let_signals_in();
}

void Jobs::Pool::work() {
  std::unique_lock lock(mutex);
  for (;;) {
    idle++;
    arrived.wait(lock, [this] { return ending || !waiting.empty() || idle > kMaxIdle; });
    idle--;
    if (waiting.empty()) break;
    const std::shared_ptr<Running> job = std::move(waiting.front());
    waiting.pop_front();
    job->thread = ::pthread_self();
    lock.unlock();
    run(*job);
    lock.lock();
    job->thread.reset();
    const bool was_interrupted = job->interrupted;
    const bool unfinished = job->answer.kind == Answer::Kind::deferred;
    job->done = true;  // from here on the job belongs to the session's thread
    ended.push_back(job);
    lock.unlock();
    // An interruption that came too late is for no other job: it has been handled when this returns.
    if (was_interrupted) kernel::let_signals_in();
    if (unfinished) kernel::wake(wakeup.get());  // the others are forgotten at the next look
    lock.lock();
  }
  threads--;
  left.notify_all();
}

Jobs::Jobs(Fd timer, Fd wakeup, Fd deaths, std::shared_ptr<Pool> pool)
    : timer_(std::move(timer)),
      wakeup_(std::move(wakeup)),
      deaths_(std::move(deaths)),
      pool_(std::move(pool)) {}

Result<Jobs> Jobs::create() {
  HF_TRY(kernel::prepare_interrupts());
  HF_TRY_ASSIGN(auto timer, kernel::make_timer());
  HF_TRY_ASSIGN(auto wakeup, kernel::make_wakeup());
  HF_TRY_ASSIGN(auto deaths, kernel::make_watch_set());
  HF_TRY_ASSIGN(auto of_threads, kernel::duplicate(wakeup.get()));
  return Jobs(std::move(timer), std::move(wakeup), std::move(deaths),
              std::make_shared<Pool>(std::move(of_threads)));
}

// A job that is about to block can miss one interruption, so this interrupts until it has ended.
Jobs::~Jobs() {
  if (!pool_) return;  // moved from
  const std::uint64_t since_ns = kernel::boottime_ns();
  std::unique_lock lock(pool_->mutex);
  pool_->ending = true;
  pool_->waiting.clear();
  pool_->arrived.notify_all();
  while (pool_->threads > 0 && kernel::boottime_ns() - since_ns < kEndingNs) {
    for (const auto& job : running_) {
      job->interrupted = true;
      if (job->thread) kernel::interrupt_thread(*job->thread);
    }
    pool_->left.wait_for(lock, std::chrono::microseconds(kEndingUs));
  }
  lock.unlock();
  const std::unique_lock closing(pool_->answering);
  pool_->closed = true;
}

std::array<int, 3> Jobs::poll_fds() const { return {timer_.get(), wakeup_.get(), deaths_.get()}; }

Result<void> Jobs::start(const seccomp_notif& call, kernel::TaskDirectory task,
                         kernel::Listener& listener, Job job) {
  if (running_.size() >= kMaxJobs) return Error{EAGAIN, "make a call for the tree", {}, {}};
  auto running = std::make_shared<Running>(call, std::move(task), listener, std::move(job));
  running->started_ns = kernel::boottime_ns();
  {
    const std::lock_guard lock(pool_->mutex);
    if (pool_->idle <= pool_->waiting.size()) {
      try {
        std::thread([pool = pool_] { pool->work(); }).detach();
      } catch (
          const std::system_error&) {  // the tree uses up RLIMIT_NPROC or a limit of its cgroup
        return Error{EAGAIN, "make a call for the tree", {}, {}};
      }
      pool_->threads++;
    }
    pool_->waiting.push_back(running);
  }
  pool_->arrived.notify_one();  // after the lock: the thread would wait for it
  const bool only = running_.empty();
  running->place = running_.insert(running_.end(), running);
  // A long look that is due later must not make a new call wait for it.
  if (!only && next_long_look_ns_ == 0) return {};
  next_long_look_ns_ = 0;
  return kernel::arm_timer(timer_.get(), kLookMs);
}

void Jobs::interrupt(Running& job) {
  job.interrupted = true;
  const std::lock_guard lock(pool_->mutex);
  if (job.thread) kernel::interrupt_thread(*job.thread);
}

void Jobs::finish_ended(kernel::Listener& listener) {
  std::vector<std::shared_ptr<Running>> ended;
  {
    const std::lock_guard lock(pool_->mutex);
    ended.swap(pool_->ended);
  }
  for (const auto& job : ended) {
    running_.erase(job->place);
    if (job->answer.kind != Answer::Kind::deferred) continue;
    const Answer answer = job->job.finish(job->task);  // may start another job
    job->job.finish = nullptr;  // closes the duplicates of the caller's descriptors
    (void)give(listener, job->id, answer);
  }
}

// A thread that has died waits in no call. `all`: also asks for calls whose thread is watched.
void Jobs::end_of_callers(kernel::Listener& listener, bool all) {
  for (const auto& job : running_) {
    if ((!all && job->death) || listener.waiting(job->id)) continue;
    if (job->death) kernel::watch_no_more(deaths_.get(), job->death.get());
    job->death.reset();
    if (!job->done) interrupt(*job);
  }
}

void Jobs::answered_elsewhere(std::uint64_t call) {
  for (const auto& job : running_) {
    if (job->id != call) continue;
    if (job->death) kernel::watch_no_more(deaths_.get(), job->death.get());
    job->death.reset();
    job->watched = true;
  }
  next_long_look_ns_ = 0;
  (void)kernel::arm_timer(timer_.get(), kLookMs);
}

void Jobs::watch_for_death(Running& job, kernel::Listener& listener) {
  job.watched = true;
  auto pidfd = kernel::open_thread_pidfd(job.thread_number);
  // If the call waits, the number was the caller's.
  if (!pidfd || !listener.waiting(job.id)) return;
  if (kernel::watch_readable(deaths_.get(), pidfd->get())) job.death = std::move(*pidfd);
}

// Whether some signal waits for a task of the caller's user. A job's user cannot change meanwhile.
bool Jobs::may_have_signal(Running& job, std::map<Group, bool>& known) {
  if (!job.group) {
    const auto namespaces = job.task.namespaces();
    const auto queue = job.task.signal_queue();
    if (!namespaces || !queue) return true;
    job.group = Group(namespaces->link[kernel::kUserNamespace], queue->uid);
  }
  const auto found = known.find(*job.group);
  if (found != known.end()) return found->second;
  const auto queue = job.task.signal_queue();
  // Without room in the queue a signal waits that is not counted.
  const bool may = !queue || queue->signals != 0 || queue->limit == 0;
  if (queue) known[*job.group] = may;
  return may;
}

// Whether the caller's cgroup, or one above it, is to be frozen. The freezer has told the thread as a
// signal does, so it can restart its call, and is frozen on the way. /proc shows nothing of it.
bool Jobs::is_to_freeze(Running& job, std::map<std::string, bool>& known) {
  constexpr unsigned kLooksForCgroup = 16;
  if (!pool_->hierarchy) {
    const auto mounts = kernel::CgroupMounts::read();
    pool_->hierarchy = mounts ? mounts->unified() : std::string();
  }
  if (pool_->hierarchy->empty()) return false;
  if (job.cgroup_looks++ % kLooksForCgroup == 0) {
    auto now = job.task.cgroup();
    job.cgroup = now ? std::move(*now) : std::string();
  }
  const auto found = known.find(job.cgroup);
  if (found != known.end()) return found->second;
  bool freezes = false;
  if (!job.cgroup.starts_with("/..")) {  // else it is outside of this cgroup namespace
    for (std::string path = job.cgroup; path.size() > 1 && !freezes; path.resize(path.rfind('/'))) {
      const auto state = kernel::read_text_file(*pool_->hierarchy + path + "/cgroup.freeze");
      freezes = state && state->starts_with('1');
    }
  }
  return known[job.cgroup] = freezes;
}

void Jobs::look_for_signals(kernel::Listener& listener) {
  const std::uint64_t now_ns = kernel::boottime_ns();
  std::map<pid_t, Running*> doubtful;  // by process: whom to interrupt
  std::map<Group, bool> known;
  std::map<std::string, bool> frozen;
  for (const auto& one : running_) {
    Running& job = *one;
    if (job.done) continue;
    if (!job.watched) watch_for_death(job, listener);
    const bool is_long = now_ns - job.started_ns > kLongNs;
    if (is_long && is_to_freeze(job, frozen)) {
      job.may_restart = true;
      interrupt(job);
      continue;
    }
    if (is_long && !may_have_signal(job, known)) {
      job.doubtful_looks = 0;
      continue;
    }
    const auto pending = job.task.pending_signal();
    const auto whose = pending ? pending->whose : kernel::PendingSignal::Whose::none;
    if (whose != kernel::PendingSignal::Whose::some_thread)
      job.doubtful_looks = 0;
    else
      job.doubtful_looks++;
    if (whose == kernel::PendingSignal::Whose::own) {
      job.may_restart = true;
      interrupt(job);
    } else if (job.doubtful_looks >= kDoubtfulLooks) {
      Running*& chosen = doubtful[pending->process];
      if (!chosen || pending->thread == pending->process) chosen = &job;
    }
  }
  for (const auto& [process, job] : doubtful) interrupt(*job);
}

// Jobs that end are the common case, and need no look at the others.
void Jobs::look(kernel::Listener& listener) {
  const bool late = kernel::timer_expired(timer_.get());
  const bool woken = kernel::was_woken(wakeup_.get());
  const bool died = kernel::has_readable(deaths_.get());
  if (woken || late) finish_ended(listener);
  if (!late && !died) return;
  const std::uint64_t began_ns = kernel::boottime_ns();
  end_of_callers(listener, died);
  if (!late) return;
  look_for_signals(listener);
  if (running_.empty()) return;
  const std::uint64_t now_ns = kernel::boottime_ns();
  const bool all_long = std::ranges::all_of(running_, [&](const auto& job) {
    return job->doubtful_looks == 0 && !job->interrupted && now_ns - job->started_ns > kLongNs;
  });
  const std::uint64_t took_ms = (now_ns - began_ns) / kNsPerMs;
  const std::uint64_t delay_ms =
      all_long ? std::max(kLongLookMs, took_ms * kLookShare) : std::max(kLookMs, took_ms * 2);
  next_long_look_ns_ = all_long ? now_ns + delay_ms * kNsPerMs : 0;
  (void)kernel::arm_timer(timer_.get(), delay_ms);
}

}  // namespace holdfast::backend::calls
