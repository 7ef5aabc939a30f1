// SPDX-License-Identifier: Apache-2.0
#include "backend/supervisor/jobs.h"

#include <cerrno>

#include "kernel/live_files.h"
#include "kernel/process.h"
#include "kernel/socket_calls.h"

namespace holdfast::backend::supervisor {
namespace {

constexpr std::size_t kMostJobs = 512;
constexpr std::uint64_t kLookMs = 20;
constexpr unsigned kEndingUs = 500;
// The kernel's own, never seen outside of it: it makes the call again, or EINTR, as the handler
// says.
constexpr int kRestart = 512;  // ERESTARTSYS

}  // namespace

Result<Jobs> Jobs::create() {
  auto prepared = kernel::prepare_interrupts();
  if (!prepared) return prepared.error();
  auto timer = kernel::make_timer();
  if (!timer) return timer.error();
  return Jobs(std::move(*timer));
}

// A job that is just about to block misses one interruption, so there are several.
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
                         std::uint64_t capabilities, kernel::Listener& listener,
                         std::function<Answer()> work) {
  if (running_.size() >= kMostJobs) return Error{EAGAIN, "make a call for the tree", {}, {}};
  auto job = std::make_unique<Job>(call.id, std::move(task));
  Job* self = job.get();
  job->thread = std::thread([self, capabilities, &listener, work = std::move(work)] {
    Answer answer = Answer::error(EPERM);
    if (kernel::limit_capabilities(capabilities)) answer = work();
    if (self->interrupted && answer.kind == Answer::Kind::error && answer.value == EINTR)
      answer = Answer::error(kRestart);
    (void)give(listener, self->id, answer);
    self->done = true;
  });
  running_.push_back(std::move(job));
  return kernel::arm_timer(timer_.get(), kLookMs);
}

void Jobs::look(const kernel::Listener& listener) {
  (void)kernel::timer_expired(timer_.get());
  for (auto at = running_.begin(); at != running_.end();) {
    Job& job = **at;
    if (job.done) {
      job.thread.join();
      at = running_.erase(at);
      continue;
    }
    if (!listener.waiting(job.id) || job.task.signal_waits()) {
      job.interrupted = true;
      kernel::interrupt_thread(job.thread.native_handle());
    }
    ++at;
  }
  if (!running_.empty()) (void)kernel::arm_timer(timer_.get(), kLookMs);
}

}  // namespace holdfast::backend::supervisor
