// SPDX-License-Identifier: Apache-2.0
#include "run/supervise.h"

#include <poll.h>
#include <signal.h>

#include <array>

#include "kernel/event_loop.h"
#include "kernel/process/process.h"
#include "run/spawn.h"

namespace holdfast::run {
namespace {

// Forwarded to the command if another process sends them. SIGTSTP and similar signals keep their
// default action: a stop from the terminal stops the command and this process, as a shell expects.
constexpr std::array kForwarded = {SIGHUP,  SIGINT,  SIGQUIT,  SIGTERM, SIGUSR1,
                                   SIGUSR2, SIGALRM, SIGWINCH, SIGCONT, SIGURG};

struct Signals {
  Fd fd;
  sigset_t command_mask;  // the signals that were blocked before
};

// SIGPIPE is blocked too: a write to a closed stderr then fails and does not end the process.
Result<Signals> take_signals() {
  sigset_t set;
  sigemptyset(&set);
  sigaddset(&set, SIGCHLD);
  sigaddset(&set, SIGPIPE);
  for (const int signal : kForwarded) sigaddset(&set, signal);
  Signals signals;
  HF_TRY_ASSIGN(signals.fd, kernel::open_signalfd(set, &signals.command_mask));
  return signals;
}

void forward_signals(int signal_fd, int pidfd) {
  while (const auto signal = kernel::read_signal(signal_fd)) {
    if (signal->number == SIGCHLD || signal->number == SIGPIPE || !signal->sent) continue;
    (void)kernel::signal_process(pidfd, signal->number);  // ESRCH: it has ended
  }
}

// Reaps all children. Orphans of the tree become children of this process. Returns the exit code of
// the command if it is among them.
std::optional<int> reap(pid_t command) {
  std::optional<int> exit_code;
  while (const auto ended = kernel::reap_child())
    if (ended->pid == command) exit_code = ended->exit_code;
  return exit_code;
}

// Serves the session after each wait. A seccomp listener hangs up when its last task has ended.
void add_session(kernel::EventLoop& loop, backend::Session& session) {
  for (const int fd : session.poll_fds()) loop.add_descriptor(fd, POLLIN, {});
  loop.add_source({}, [&session] { return wrap(session.dispatch(), "decide"); });
}

Result<void> watch_until_end(backend::Session& session, Spawned& spawned, int signal_fd,
                             Outcome& outcome) {
  kernel::EventLoop loop;
  add_session(loop, session);
  loop.add_descriptor(spawned.channel_fd(), POLLIN, [&](short events) -> Result<void> {
    if (!(events & POLLIN)) return {};
    if (auto error = spawned.read_exec_error()) outcome.exec_error = std::move(error);
    // The exec has closed the other end. The end of a stream is always readable, so stop polling.
    if (events & POLLHUP) loop.remove_descriptor(spawned.channel_fd());
    return {};
  });
  loop.add_descriptor(signal_fd, POLLIN, [&](short) -> Result<void> {
    forward_signals(signal_fd, spawned.pidfd());
    if (const auto exit_code = reap(spawned.pid())) {
      outcome.exit_code = *exit_code;
      loop.stop();
    }
    return {};
  });
  HF_TRY(loop.run());
  // The child may have reported a failed exec and ended after the last poll.
  if (!outcome.exec_error) outcome.exec_error = spawned.read_exec_error();
  return {};
}

// Serves the session until the child's report is readable, because sending the report is a call
// that the filter may notify.
Result<void> answer_until_report(backend::Session& session, const Spawned& spawned) {
  kernel::EventLoop loop;
  loop.add_descriptor(spawned.channel_fd(), POLLIN, [&](short) -> Result<void> {
    loop.stop();
    return {};
  });
  add_session(loop, session);
  return loop.run();
}

Result<void> hold(backend::Session& session, Spawned& spawned, const backend::ChildPlan& plan) {
  HF_TRY(session.adopt(spawned.child()));
  if (plan.filter) {
    HF_TRY(answer_until_report(session, spawned));
    HF_TRY(spawned.wait_for_self_test());
  }
  return spawned.release();
}

}  // namespace

Result<Outcome> supervise(backend::Session& session, const std::vector<std::string>& command,
                          std::uint32_t unshare_types, const PrepareChild& prepare) {
  HF_TRY_ASSIGN(const bool ignores_children, kernel::stop_ignoring_children());
  HF_TRY_ASSIGN(auto signals, take_signals());
  HF_TRY_ASSIGN(auto plan, session.before_fork());
  HF_TRY_ASSIGN(auto spawned, Spawned::start({command, unshare_types, plan, signals.command_mask,
                                              ignores_children}));
  HF_TRY(prepare(spawned.pid()));
  HF_TRY(hold(session, spawned, plan));

  Outcome outcome;
  auto watched = watch_until_end(session, spawned, signals.fd.get(), outcome);
  if (!watched) {
    (void)kernel::signal_process(spawned.pidfd(), SIGKILL);  // nothing answers its calls any more
    return watched.error();
  }
  HF_TRY_ASSIGN(outcome.totals, session.finish());
  return outcome;
}

}  // namespace holdfast::run
