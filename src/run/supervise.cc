// SPDX-License-Identifier: Apache-2.0
#include "run/supervise.h"

#include <poll.h>
#include <signal.h>

#include <algorithm>
#include <array>

#include "kernel/event_loop.h"
#include "kernel/process/child.h"
#include "kernel/process/group_witness.h"
#include "kernel/process/process.h"
#include "kernel/sockets/socket_calls.h"
#include "run/spawn.h"

namespace holdfast::run {
namespace {

// These say that this process has failed. They keep their default action.
constexpr std::array kFaults = {SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGSYS};
// The kernel sends these to a process for a timer or a descriptor that it had before its exec, so
// they are the command's.
constexpr std::array kFromKernel = {SIGALRM, SIGVTALRM, SIGPROF, SIGIO, SIGURG, SIGPWR};

struct Signals {
  Fd fd;
  sigset_t command_mask;  // the signals that were blocked before
};

// A blocked SIGTTOU lets this process write to the terminal from the background, and a blocked
// SIGPIPE makes a write to a closed stderr fail. SIGRTMIN interrupts jobs, and is ignored otherwise.
Result<Signals> take_signals() {
  HF_TRY(kernel::prepare_interrupts());
  sigset_t set;
  sigfillset(&set);
  sigdelset(&set, SIGRTMIN);
  for (const int fault : kFaults) sigdelset(&set, fault);
  Signals signals;
  HF_TRY_ASSIGN(signals.fd, kernel::open_signalfd(set, &signals.command_mask));
  return signals;
}

// The command, its signals and its end.
class Command {
 public:
  Command(const Spawned& spawned, bool in_pid_namespace,
          std::optional<kernel::GroupWitness> witness)
      : spawned_(spawned), in_pid_namespace_(in_pid_namespace), witness_(std::move(witness)) {}

  // Handles the signals that wait. Returns true when the command has ended.
  bool handle_signals(int signal_fd, Outcome& outcome) {
    bool ended = false;
    while (const auto signal = kernel::read_signal(signal_fd)) {
      const bool to_group = witness_ && witness_->saw(signal->number);
      // The witness is newer than this process, and the command is newer than the witness. So a
      // signal to the group has reached the command by now.
      ended = follow_changes(outcome) || ended;
      if (!ended) handle(*signal, to_group);
    }
    return ended;
  }

 private:
  void handle(const kernel::Signal& signal, bool to_group) {
    const int number = signal.number;
    const bool from_kernel = std::ranges::find(kFromKernel, number) != kFromKernel.end();
    if (!signal.sent && !from_kernel) {
      // The init of a pid namespace cannot stop, so nothing tells that the command has.
      if (in_pid_namespace_ && (number == SIGTSTP || number == SIGTTIN || number == SIGTTOU))
        kernel::stop_by(number);
      return;
    }
    if (to_group && kernel::in_own_group(spawned_.pid())) return;
    // A shell continues the whole group. Without a witness this is as good as can be told.
    if (!witness_ && number == SIGCONT && !stopped_) return;
    // ESRCH: it has ended.
    if (in_pid_namespace_)
      (void)kernel::signal_process_with(spawned_.pidfd(), number, kernel::kForwardedValue);
    else
      (void)kernel::signal_process(spawned_.pidfd(), number);
  }

  // Reaps all children. Orphans of the tree become children of this process. Returns true when the
  // command has ended.
  bool follow_changes(Outcome& outcome) {
    using Kind = kernel::ChildChange::Kind;
    bool ended = false;
    int stopped_by = 0;
    while (const auto change = kernel::next_child_change()) {
      if (change->pid != spawned_.pid()) continue;
      stopped_ = change->kind == Kind::stopped;
      stopped_by = stopped_ ? change->value : 0;
      if (change->kind == Kind::exited) outcome.exit_code = change->value;
      if (change->kind == Kind::killed) {
        outcome.exit_code = kKilled + change->value;
        outcome.killed_by = change->value;
      }
      ended = change->kind == Kind::exited || change->kind == Kind::killed;
      if (ended) break;
    }
    // The shell that started this process waits for it, not for the command.
    if (stopped_by != 0 && kernel::has_controlling_terminal()) kernel::stop_by(stopped_by);
    return ended;
  }

  static constexpr int kKilled = 128;

  const Spawned& spawned_;
  bool in_pid_namespace_;
  std::optional<kernel::GroupWitness> witness_;
  bool stopped_ = false;
};

// Serves the session after each wait. A seccomp listener hangs up when its last task has ended.
void add_session(kernel::EventLoop& loop, backend::Session& session) {
  for (const int fd : session.poll_fds()) loop.add_descriptor(fd, POLLIN, {});
  loop.add_source({}, [&session] { return wrap(session.dispatch(), "decide"); });
}

Result<void> watch_until_end(backend::Session& session, Spawned& spawned, int signal_fd,
                             Command& command, Outcome& outcome) {
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
    if (command.handle_signals(signal_fd, outcome)) loop.stop();
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
  auto witness = kernel::GroupWitness::start();
  HF_TRY_ASSIGN(auto plan, session.before_fork());
  HF_TRY_ASSIGN(auto spawned, Spawned::start({command, unshare_types, plan, signals.command_mask,
                                              ignores_children}));
  HF_TRY(prepare(spawned.pid()));
  HF_TRY(hold(session, spawned, plan));

  Outcome outcome;
  Command running(spawned, (unshare_types & HF_NS_PID) != 0,
                  witness ? std::optional(std::move(*witness)) : std::nullopt);
  auto watched = watch_until_end(session, spawned, signals.fd.get(), running, outcome);
  if (!watched) {
    (void)kernel::signal_process(spawned.pidfd(), SIGKILL);  // nothing answers its calls any more
    return watched.error();
  }
  HF_TRY_ASSIGN(outcome.totals, session.finish());
  return outcome;
}

}  // namespace holdfast::run
