// SPDX-License-Identifier: Apache-2.0
#include "run/supervise.h"

#include <poll.h>
#include <signal.h>

#include <algorithm>
#include <array>

#include "kernel/event_loop.h"
#include "kernel/proc/descendants.h"
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
// The terminal's stop signals.
constexpr std::array kStops = {SIGTSTP, SIGTTIN, SIGTTOU};
// After the command's end, these are sent on to what it left behind.
constexpr std::array kEnds = {SIGHUP, SIGINT, SIGQUIT, SIGTERM};
constexpr int kKillRounds = 1000;
constexpr unsigned kKillRoundUs = 1000;

bool contains(const auto& signals, int number) {
  return std::ranges::find(signals, number) != signals.end();
}

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

// The command, its signals, its end, and what it leaves behind.
class Command {
 public:
  // `left`, borrowed, counts neither the command nor the helpers of this process.
  Command(const Spawned& spawned, bool in_pid_namespace,
          std::optional<kernel::GroupWitness> witness, const kernel::Descendants& left)
      : spawned_(spawned),
        in_pid_namespace_(in_pid_namespace),
        witness_(std::move(witness)),
        left_(left) {}

  // Handles the signals that wait.
  void handle_signals(int signal_fd, Outcome& outcome) {
    while (const auto signal = kernel::read_signal(signal_fd)) {
      const bool to_group = witness_ && witness_->saw(signal->number);
      // The witness is newer than this process, and the command is newer than the witness. So a
      // signal to the group has reached the command by now.
      follow_changes(outcome);
      if (ended_)
        handle_after_end(*signal, to_group);
      else
        handle(*signal, to_group);
    }
  }
  // In a pid namespace: its init.
  [[nodiscard]] bool ended() const { return ended_; }
  [[nodiscard]] const kernel::Descendants& left() const { return left_; }

  // Kills what is left. Returns how many do not end.
  std::size_t kill_left(Outcome& outcome) {
    for (int round = 0; round < kKillRounds; round++) {
      if (left_.signal(SIGKILL) == 0) return 0;
      kernel::sleep_us(kKillRoundUs);
      follow_changes(outcome);
    }
    return left_.all().size();
  }

 private:
  void handle(const kernel::Signal& signal, bool to_group) {
    const int number = signal.number;
    if (!signal.sent && !contains(kFromKernel, number)) {
      // The init of a pid namespace cannot stop, so nothing tells that the command has.
      if (in_pid_namespace_ && contains(kStops, number)) kernel::stop_by(number);
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

  // The processes that are left have the terminal's signals, as far as they are in the group.
  void handle_after_end(const kernel::Signal& signal, bool to_group) const {
    if (!signal.sent && contains(kStops, signal.number)) kernel::stop_by(signal.number);
    if (signal.sent && !to_group && contains(kEnds, signal.number)) left_.signal(signal.number);
  }

  // Reaps all children. Orphans of the tree become children of this process.
  void follow_changes(Outcome& outcome) {
    using Kind = kernel::ChildChange::Kind;
    int stopped_by = 0;
    while (const auto change = kernel::next_child_change()) {
      if (change->pid != spawned_.pid() || ended_) continue;
      stopped_ = change->kind == Kind::stopped;
      stopped_by = stopped_ ? change->value : 0;
      if (change->kind == Kind::exited) outcome.exit_code = change->value;
      if (change->kind == Kind::killed) {
        outcome.exit_code = kKilled + change->value;
        outcome.killed_by = change->value;
      }
      ended_ = change->kind == Kind::exited || change->kind == Kind::killed;
    }
    // The shell that started this process waits for it, not for the command.
    if (!ended_ && stopped_by != 0 && kernel::has_controlling_terminal())
      kernel::stop_by(stopped_by);
  }

  static constexpr int kKilled = 128;

  const Spawned& spawned_;
  bool in_pid_namespace_;
  std::optional<kernel::GroupWitness> witness_;
  const kernel::Descendants& left_;
  bool stopped_ = false;
  bool ended_ = false;
};

// Serves the session after each wait. A seccomp listener hangs up when its last task has ended.
void add_session(kernel::EventLoop& loop, backend::Session& session) {
  const auto readable = std::make_shared<std::vector<int>>();
  for (const int fd : session.poll_fds())
    loop.add_descriptor(fd, POLLIN, [readable, fd](short events) -> Result<void> {
      if (events & POLLIN) readable->push_back(fd);
      return {};
    });
  loop.add_source({}, [&session, readable] {
    const auto done = session.dispatch_ready(*readable);
    readable->clear();
    return wrap(done, "decide");
  });
}

// The processes that the command left behind still have the streams that they need. So from the
// command's end on, a reader of its output does not wait for this process as well.
class Aftermath {
 public:
  Aftermath(const backend::Session& session, const Command& command, const LeftBehind& left_behind)
      : session_(session), command_(command), left_behind_(left_behind) {}

  // The init of a pid namespace says so. It is a process of the tree itself.
  void command_ended_below_init() {
    if (command_.left().all().size() > 1) wait_for(1);
  }
  // Call it after signals, and when the session may have lost its last member.
  [[nodiscard]] bool tree_ended() {
    if (!command_.ended()) return false;
    if (left_behind_.tree == Tree::ends || !session_.may_have_members()) return true;
    if (command_.left().all().empty()) return true;
    wait_for(0);
    return false;
  }
  [[nodiscard]] std::uint64_t due_ns() const { return due_ns_; }
  // Says that the run goes on. Not at once: most of what a command leaves behind ends right away.
  void announce() {
    due_ns_ = kNever;
    const std::size_t count = command_.left().all().size();
    if (count > uncounted_ && left_behind_.waits) left_behind_.waits(count - uncounted_);
  }

 private:
  void wait_for(std::size_t uncounted) {
    if (std::exchange(waits_, true)) return;
    uncounted_ = uncounted;
    kernel::release_input_and_output();
    due_ns_ = kernel::boottime_ns() + kAnnounceAfterNs;
  }

  static constexpr std::uint64_t kAnnounceAfterNs = 500'000'000;

  const backend::Session& session_;
  const Command& command_;
  const LeftBehind& left_behind_;
  bool waits_ = false;
  std::size_t uncounted_ = 0;
  std::uint64_t due_ns_ = kNever;
};

Result<void> watch_until_end(backend::Session& session, Spawned& spawned, int signal_fd,
                             Command& command, const LeftBehind& left_behind, Outcome& outcome) {
  kernel::EventLoop loop;
  Aftermath aftermath(session, command, left_behind);
  add_session(loop, session);
  loop.add_descriptor(spawned.channel_fd(), POLLIN, [&](short events) -> Result<void> {
    if (!(events & POLLIN)) return {};
    auto message = spawned.read_message();
    if (message && message->exec_error) outcome.exec_error = std::move(message->exec_error);
    if (message && message->command_ended) aftermath.command_ended_below_init();
    // The exec has closed the other end. The end of a stream is always readable, so stop polling.
    if (events & POLLHUP) loop.remove_descriptor(spawned.channel_fd());
    return {};
  });
  loop.add_descriptor(signal_fd, POLLIN, [&](short) -> Result<void> {
    command.handle_signals(signal_fd, outcome);
    if (aftermath.tree_ended()) loop.stop();
    return {};
  });
  loop.add_timer([&] { return aftermath.due_ns(); }, [&] { aftermath.announce(); });
  loop.add_source({}, [&]() -> Result<void> {
    if (command.ended() && !session.may_have_members()) loop.stop();
    return {};
  });
  HF_TRY(loop.run());
  // The child may have reported a failed exec and ended after the last poll.
  while (!outcome.exec_error) {
    auto message = spawned.read_message();
    if (!message) break;
    outcome.exec_error = std::move(message->exec_error);
  }
  return {};
}

void kill_left(const backend::Session& session, Command& command, const LeftBehind& left_behind,
               Outcome& outcome) {
  if (!session.may_have_members()) return;
  const std::size_t count = command.left().all().size();
  if (count == 0) return;
  const std::size_t alive = command.kill_left(outcome);
  if (left_behind.killed) left_behind.killed(count - std::min(count, alive), alive);
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

Result<void> adopt(backend::Session& session, Spawned& spawned, const backend::ChildPlan& plan) {
  HF_TRY(session.adopt(spawned.child()));
  if (!plan.filter && plan.join == 0) return {};
  HF_TRY(answer_until_report(session, spawned));
  return spawned.wait_for_self_test();
}

}  // namespace

Result<Outcome> supervise(backend::Session& session, const std::vector<std::string>& command,
                          std::uint32_t unshare_types, const PrepareChild& prepare,
                          const LeftBehind& left_behind) {
  HF_TRY_ASSIGN(const bool ignores_children, kernel::stop_ignoring_children());
  HF_TRY_ASSIGN(auto signals, take_signals());
  // Orphans of the tree become children of this process, so that it can find them.
  HF_TRY(kernel::become_subreaper());
  auto witness = kernel::GroupWitness::start();
  HF_TRY_ASSIGN(auto plan, session.before_fork());
  HF_TRY_ASSIGN(auto spawned,
                Spawned::start({command, unshare_types, plan, signals.command_mask,
                                ignores_children, left_behind.tree == Tree::goes_on}));
  HF_TRY(prepare(spawned.pid()));
  HF_TRY(adopt(session, spawned, plan));
  const kernel::Descendants left(spawned.pid());
  HF_TRY(spawned.release());

  Outcome outcome;
  Command running(spawned, (unshare_types & HF_NS_PID) != 0,
                  witness ? std::optional(std::move(*witness)) : std::nullopt, left);
  auto watched = watch_until_end(session, spawned, signals.fd.get(), running, left_behind, outcome);
  if (!watched) {
    (void)kernel::signal_process(spawned.pidfd(), SIGKILL);  // nothing answers its calls any more
    return watched.error();
  }
  if (left_behind.tree == Tree::ends) kill_left(session, running, left_behind, outcome);
  HF_TRY_ASSIGN(outcome.totals, session.finish());
  return outcome;
}

}  // namespace holdfast::run
