// SPDX-License-Identifier: Apache-2.0
#include "backend/calls/jobs.h"

#include <algorithm>
#include <map>
#include <system_error>

#include "kernel/process/process.h"
#include "kernel/sockets/socket_calls.h"
#include "kernel/timer.h"
#include "kernel/wakeup.h"

namespace holdfast::backend::calls {
namespace {

constexpr std::size_t kMaxJobs = 4096;
constexpr std::uint64_t kLookMs = 20;
// A call that has waited for a second may wait for hours, so it is looked at less often.
constexpr std::uint64_t kLongNs = 1'000'000'000;
constexpr std::uint64_t kLongLookMs = 100;
constexpr unsigned kEndingUs = 500;
constexpr unsigned kDoubtfulLooks = 2;
// Internal to the kernel: it restarts the call or returns EINTR, as SA_RESTART says.
constexpr int kRestart = 512;  // ERESTARTSYS

}  // namespace

Result<Jobs> Jobs::create() {
  HF_TRY(kernel::prepare_interrupts());
  HF_TRY_ASSIGN(auto timer, kernel::make_timer());
  HF_TRY_ASSIGN(auto wakeup, kernel::make_wakeup());
  return Jobs(std::move(timer), std::move(wakeup));
}

// A job that is about to block can miss one interruption, so this interrupts until it has ended.
Jobs::~Jobs() {
  for (const auto& job : running_) {
    while (!job->done) {
      job->interrupted = true;
      kernel::interrupt_thread(job->thread.native_handle());
      kernel::sleep_us(kEndingUs);
    }
    job->thread.join();
  }
}

Result<void> Jobs::start(const seccomp_notif& call, kernel::TaskDirectory task,
                         kernel::Listener& listener, Job job) {
  if (running_.size() >= kMaxJobs) return Error{EAGAIN, "make a call for the tree", {}, {}};
  auto running = std::make_unique<Running>(call.id, std::move(task), std::move(job));
  Running* self = running.get();
  const auto body = [self, &listener, wakeup_fd = wakeup_.get()] {
    Answer& answer = self->answer;
    if (kernel::limit_capabilities(self->job.capabilities)) answer = self->job.work();
    if (self->interrupted && self->may_restart && self->job.interrupted == Interrupted::restarts &&
        answer.kind == Answer::Kind::error && answer.value == EINTR)
      answer = Answer::error(kRestart);
    // Closes the duplicates of the caller's descriptors, before it can close its own.
    self->job.work = nullptr;
    const bool unfinished = answer.kind == Answer::Kind::deferred;
    if (!unfinished) {
      self->job.finish = nullptr;
      (void)give(listener, self->id, answer);
    }
    self->done = true;  // from here on `self` belongs to the session's thread
    if (unfinished) kernel::wake(wakeup_fd);
  };
  try {
    running->thread = std::thread(body);
  } catch (const std::system_error&) {  // the tree uses up RLIMIT_NPROC or a limit of its cgroup
    return Error{EAGAIN, "make a call for the tree", {}, {}};
  }
  running->started_ns = kernel::boottime_ns();
  running_.push_back(std::move(running));
  return kernel::arm_timer(timer_.get(), kLookMs);
}

void Jobs::interrupt(Running& job) {
  job.interrupted = true;
  kernel::interrupt_thread(job.thread.native_handle());
}

void Jobs::look(kernel::Listener& listener) {
  const bool late = kernel::timer_expired(timer_.get());
  const bool woken = kernel::was_woken(wakeup_.get());
  if (!late && !woken) return;
  std::map<pid_t, Running*> doubtful;  // by process: whom to interrupt
  for (auto at = running_.begin(); at != running_.end();) {
    Running& job = **at;
    if (job.done) {
      job.thread.join();
      if (job.answer.kind == Answer::Kind::deferred) {
        const Answer answer = job.job.finish(job.task);
        job.job.finish = nullptr;  // as above
        (void)give(listener, job.id, answer);
      }
      at = running_.erase(at);
      continue;
    }
    ++at;
    if (!listener.waiting(job.id)) {
      interrupt(job);
      continue;
    }
    const auto pending = job.task.pending_signal();
    const auto whose = pending ? pending->whose : kernel::PendingSignal::Whose::none;
    if (whose != kernel::PendingSignal::Whose::some_thread)
      job.doubtful_looks = 0;
    else if (late)
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
  if (running_.empty()) return;
  const std::uint64_t now_ns = kernel::boottime_ns();
  const bool all_long = std::ranges::all_of(running_, [&](const auto& job) {
    return job->doubtful_looks == 0 && now_ns - job->started_ns > kLongNs;
  });
  (void)kernel::arm_timer(timer_.get(), all_long ? kLongLookMs : kLookMs);
}

}  // namespace holdfast::backend::calls
