// SPDX-License-Identifier: Apache-2.0
#include "daemon/service.h"

#include <fmt/core.h>
#include <poll.h>
#include <signal.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <utility>

#include "backend/machine.h"
#include "daemon/bundle_files.h"
#include "daemon/control.h"
#include "daemon/enforcement.h"
#include "daemon/event_log.h"
#include "daemon/loaded_policy.h"
#include "daemon/policy_files.h"
#include "daemon/seal.h"
#include "events/event_aggregator.h"
#include "events/event_budget.h"
#include "events/guard_event.h"
#include "kernel/bpf/bpf_pin.h"
#include "kernel/bpf/bpf_stats.h"
#include "kernel/cgroup/cgroup.h"
#include "kernel/event_loop.h"
#include "kernel/files/watch.h"
#include "kernel/process/process.h"
#include "kernel/sockets/service_notify.h"
#include "policy_dirs/policy_dirs.h"

namespace holdfast::daemon {

namespace {

// An editor writes a file in several steps. Changes within this time count as one.
constexpr std::uint64_t kSettleNs = 200'000'000;
// A holdfastd for runs waits for the next run: a start takes longer than a run.
constexpr char kRunsPins[] = "/sys/fs/bpf/holdfast/runs";
constexpr std::uint64_t kWithoutRunsNs = 5'000'000'000;

void log_message(const std::string& text) { fmt::print(stderr, "holdfastd: {}\n", text); }

// Code 0: the detail holds rendered diagnostics, which are printed as they are.
void log_mistake(const Error& error) {
  if (error.code == 0)
    fmt::print(stderr, "{}", error.detail);
  else
    log_message(error.message());
}

Result<Fd> open_signals() {
  // A write to a closed pipe must not end the daemon.
  signal(SIGPIPE, SIG_IGN);
  sigset_t signals;
  sigemptyset(&signals);
  for (const int number : {SIGHUP, SIGTERM, SIGINT}) sigaddset(&signals, number);
  sigset_t previous;
  return kernel::open_signalfd(signals, &previous);
}

long long monotonic_us() {
  const auto now = std::chrono::steady_clock::now().time_since_epoch();
  return std::chrono::duration_cast<std::chrono::microseconds>(now).count();
}

void tell_manager(const std::string& state) {
  if (auto sent = kernel::notify_service_manager(state); !sent) log_message(sent.error().message());
}

struct Decided {
  hf_event event;
  EventAggregator::Policy policy;
};

// Sends events to standard output, to the log, and to the clients of the method Monitor. A budget
// limits the number of events of each kind.
class Reporter {
 public:
  Reporter(const Options& options, Fd cgroup_root)
      : writer_(stdout, options.format,
                options.format == EventFormat::pretty && isatty(STDOUT_FILENO) == 1
                    ? policy::Colour::on
                    : policy::Colour::off,
                std::move(cgroup_root), options.state_dir),
        options_(options) {}

  void close_log() {
    log_.reset();
    tried_log_ = false;
  }
  // Only after the enforcement was adopted. While the machine is sealed, only the process that
  // serves it can write to the state directory.
  void open_log() {
    if (log_ || tried_log_) return;
    tried_log_ = true;
    if (options_.log_bytes == 0 || options_.lifetime != Lifetime::kept) return;
    auto log = EventLog::open(options_.state_dir + "/events.jsonl", options_.log_bytes);
    if (log)
      log_ = std::make_unique<EventLog>(*std::move(log));
    else
      log_message(log.error().message() + ": events are not kept");
  }

  void use(Control* control) { control_ = control; }

  void decision(const hf_event& event, const EventAggregator::Policy& policy) {
    if (decisions_.admits(policy::budget_kind(event), policy::budget_request(event),
                          event.actor.uid, event.repeats + 1, {event, policy},
                          kernel::boottime_ns()))
      report(event, *policy);
  }

  void refusal(const hf_guard_event& refusal) {
    if (refusals_.admits(std::to_string(refusal.what), std::to_string(refusal.detail),
                         refusal.actor.uid, refusal.repeats + 1, refusal, kernel::boottime_ns()))
      report(refusal);
  }

  // Writes the events that the budget has only counted.
  void flush_due(std::uint64_t now_ns) {
    flush(decisions_.take_due(now_ns), refusals_.take_due(now_ns));
  }
  void flush() { flush(decisions_.take_all(), refusals_.take_all()); }
  // When flush_due() has to be called.
  [[nodiscard]] std::uint64_t due_ns() const {
    return std::min(decisions_.due_ns(), refusals_.due_ns());
  }

 private:
  using Decisions = policy::EventBudget<Decided>;
  using Refusals = policy::EventBudget<hf_guard_event>;

  void flush(const std::vector<Decisions::Counted>& decisions,
             const std::vector<Refusals::Counted>& refusals) {
    for (const auto& one : decisions)
      report(policy::counted_event(one.last.event, one.records, one.decisions), *one.last.policy);
    for (const auto& one : refusals)
      report(policy::counted_event(one.last, one.records, one.decisions));
  }

  void report(const hf_event& event, const policy::Compiled& policy) {
    open_log();
    const std::string json = writer_.json(event, policy);
    written(writer_.write(event, policy, json));
    keep(json);
  }

  void report(const hf_guard_event& refusal) {
    open_log();
    const std::string json = writer_.json(refusal);
    written(writer_.write(refusal, json));
    keep(json);
  }

  void written(const Result<void>& sent) {
    if (!sent && !journal_failed_)
      log_message(sent.error().message() + ": events go to standard output");
    journal_failed_ = !sent;
  }

  // Logs when writing begins to fail and when it works again, not for each line.
  void keep(const std::string& json) {
    if (control_ != nullptr) control_->send_event(json);
    if (!log_) return;
    const auto kept = log_->append(json);
    if (!kept && unkept_++ == 0) log_message(kept.error().message() + ": events are not kept");
    if (kept && unkept_ > 0)
      log_message(fmt::format("events are kept again; {} were not", std::exchange(unkept_, 0)));
  }

  EventWriter writer_;
  const Options& options_;
  Decisions decisions_;
  Refusals refusals_;
  std::unique_ptr<EventLog> log_;
  Control* control_ = nullptr;
  bool tried_log_ = false;
  std::uint64_t unkept_ = 0;
  bool journal_failed_ = false;
};

class Service {
 public:
  // `control` may be null.
  Service(Enforcement& enforcement, EventAggregator& folder, Reporter& reporter, Control* control,
          int signal_fd, kernel::DirectoryWatch& watch, const Options& options)
      : enforcement_(enforcement),
        aggregator_(folder),
        reporter_(reporter),
        control_(control),
        signal_fd_(signal_fd),
        watch_(watch),
        options_(options) {}

  Result<void> run() {
    kernel::EventLoop loop;
    loop.add_source([this] { return interest_of_enforcement(); },
                    [this] { return enforcement_.dispatch(); });
    if (control_ != nullptr)
      loop.add_source([this] { return control_->interest(); },
                      [this]() -> Result<void> {
                        control_->dispatch();
                        report_earlier();
                        tell_status();
                        return {};
                      });
    loop.add_source({}, [this] { return report_refusals(); });
    if (control_ != nullptr) control_->report_with([this] { (void)report_refusals(); });
    loop.add_timer([this] { return aggregator_.due_ns(); },
                   [this] { aggregator_.flush_due(kernel::boottime_ns()); });
    loop.add_timer([this] { return reporter_.due_ns(); },
                   [this] { reporter_.flush_due(kernel::boottime_ns()); });
    loop.add_timer([this] { return enforcement_.due_ns(); }, [this] { enforcement_.tick(); });
    if (control_ != nullptr)
      loop.add_timer([this] { return control_->due_ns(); }, [this] { control_->tick(); });
    loop.add_descriptor(watch_.fd(), POLLIN, [this](short) -> Result<void> {
      if (watch_.drain()) wait_for_files();
      // Directories of drop-ins may be new.
      if (auto added = watch_.add(policy_dirs::directories_of(options_.dirs)); !added)
        log_message(added.error().message());
      return {};
    });
    loop.add_timer([this] { return settled_ns_; }, [this] { obey_files(); });
    if (options_.lifetime == Lifetime::for_runs && control_ != nullptr)
      loop.add_timer([this] { return unused_until_ns(); }, [&loop] { loop.stop(); });
    loop.add_signals(signal_fd_, [&](const kernel::Signal& signal) -> Result<void> {
      if (signal.number != SIGHUP) {
        loop.stop();
        return {};
      }
      settled_ns_ = kNever;
      reload();
      return {};
    });
    return loop.run();
  }

 private:
  [[nodiscard]] kernel::Interest interest_of_enforcement() const {
    kernel::Interest interest;
    for (const int fd : enforcement_.poll_fds()) interest.awaited.push_back({fd, POLLIN});
    return interest;
  }

  // When a holdfastd that only holds runs ends, if none comes.
  std::uint64_t unused_until_ns() {
    if (control_->in_use()) return unused_until_ns_ = kNever;
    if (unused_until_ns_ == kNever) unused_until_ns_ = kernel::boottime_ns() + kWithoutRunsNs;
    return unused_until_ns_;
  }

  void wait_for_files() { settled_ns_ = kernel::boottime_ns() + kSettleNs; }

  void obey_files() {
    settled_ns_ = kNever;
    switch (enforcement_.files_changed()) {
      case Enforcement::FilesCall::nothing:
        return;
      case Enforcement::FilesCall::reload:
        return reload();
      case Enforcement::FilesCall::wait_for_reload:
        return log_message("the policy's files have changed: holdfast reload makes them live");
      case Enforcement::FilesCall::later:
        return wait_for_files();
    }
  }

  Result<void> report_refusals() {
    HF_TRY_ASSIGN(const auto refusals, enforcement_.take_guard_events());
    for (const hf_guard_event& refusal : refusals) {
      reporter_.refusal(refusal);
      if (control_ != nullptr) control_->refused(refusal);
    }
    return {};
  }

  void reload() {
    tell_manager(fmt::format("RELOADING=1\nMONOTONIC_USEC={}", monotonic_us()));
    if (const auto live = enforcement_.reload(std::nullopt); live) {
      log_message(fmt::format("policy generation {} is live", live->generation));
    } else {
      log_mistake(live.error());
      log_message("the policy in force stays");
    }
    report_earlier();
    tell_manager("READY=1");
    tell_status();
  }

  // Once another policy is live, writes the events that were only counted under the one before.
  void report_earlier() {
    const std::uint64_t live = enforcement_.live().number;
    if (std::exchange(reported_, live) == live) return;
    aggregator_.flush();
    reporter_.flush();
  }

  // What `systemctl status` shows.
  void tell_status() {
    std::string line = enforcement_.status_line();
    if (line == told_) return;
    told_ = std::move(line);
    tell_manager("STATUS=" + told_);
  }

  Enforcement& enforcement_;
  EventAggregator& aggregator_;
  Reporter& reporter_;
  Control* control_;
  int signal_fd_;
  kernel::DirectoryWatch& watch_;
  const Options& options_;
  std::string told_;
  std::uint64_t reported_ = 0;         // the generation whose counted events are not all written
  std::uint64_t settled_ns_ = kNever;  // when files that have changed are read
  std::uint64_t unused_until_ns_ = kNever;
};

// EINVAL and EXDEV: there is no unified cgroup hierarchy, or only a part of it.
int exit_code_of(const Error& error) {
  constexpr int kImpossible[] = {ENOTSUP, EPERM, ENOSYS, EINVAL, EXDEV};
  if (error.code == 0) return kExitUsage;
  if (error.code == EBUSY) return kExitBusy;
  return std::ranges::find(kImpossible, error.code) != std::end(kImpossible) ? kExitImpossible
                                                                             : kExitFailed;
}

int failed(const Error& error) {
  log_mistake(error);
  return exit_code_of(error);
}

// Replaces files that another process may still be able to write (renew_guarded_files()).
Result<void> renew_files(const Enforcement& enforcement, const Options& options,
                         Reporter& reporter) {
  if (options.policy_files == PolicyFiles::free) return {};
  // While the machine is sealed no process can have changed the files, and they must not be
  // replaced.
  if (enforcement.sealed() && enforcement.guards_files()) return {};
  if (!enforcement.guards_files()) {
    log_message("sealed: the policy's files stay unprotected, as they were");
    return {};
  }
  reporter.close_log();
  const auto copied = renew_guarded_files(options);
  reporter.open_log();
  if (!copied) return copied.error();
  for (const std::string& path : *copied)
    log_message(path + ": another process could have changed it, so it was replaced by a copy");
  return {};
}

void log_end(const Enforcement& enforcement, const Options& options) {
  const backend::Totals t = enforcement.totals();
  log_message(
      fmt::format("ended: {} allowed, {} denied, {} would be denied, {} errors, {} events lost",
                  t.allowed, t.denied, t.audited, t.errors, t.lost));
  if (options.lifetime == Lifetime::for_runs) return;
  log_message(options.lifetime == Lifetime::kept
                  ? fmt::format("policy generation {} stays in force (--stop-enforcing ends it)",
                                enforcement.live().number)
                  : "nothing is enforced any more");
}

}  // namespace

int check(const Options& options) {
  const auto files = check_files(options.dirs, options.unenforced);
  if (!files) {
    log_mistake(files.error());
    return kExitFailed;
  }
  for (const policy::Diagnostic& rule : files->unenforced)
    fmt::print(stderr, "{}: warning: {}\n", rule.where.place(), rule.message);
  fmt::print(stderr, "{}", mistakes_text(files->mistakes));
  return files->mistakes.empty() ? kExitOk : kExitUsage;
}

int serve(const Options& options) {
  if (switched_off_at_boot()) {
    log_message("the kernel was started with holdfast=off: nothing is enforced");
    return kExitImpossible;
  }
  if (auto usable = backend::make_lsm_backend()->available(); !usable) {
    // If the policy has errors too, report those.
    if (const auto good = check_plan(options, {}); !good) return failed(good.error());
    return failed(usable.error());
  }
  if (options.policy_files == PolicyFiles::guarded)
    if (auto ready = prepare_guarded_files(options); !ready) return failed(ready.error());
  if (options.lifetime == Lifetime::for_runs) {
    if (auto mounted = kernel::mount_bpf_filesystem(); !mounted) return failed(mounted.error());
    // It is not a part of the service or login that made the first run. It works there as well.
    (void)kernel::move_process(options.cgroup_root, kernel::own_pid());
  }
  kernel::raise_descriptor_limit();  // for clients and the descriptors that they send
  // Before attaching, so that a signal that arrives meanwhile is handled afterwards.
  const auto signals = open_signals();
  if (!signals) return failed(signals.error());
  auto watch = kernel::DirectoryWatch::create(policy_dirs::directories_of(options.dirs));
  if (!watch) return failed(watch.error());
  auto root = kernel::open_cgroup_root(options.cgroup_root);
  if (!root) return failed(root.error());
  Reporter reporter(options, *std::move(root));
  EventAggregator folder([&reporter](const hf_event& event, const EventAggregator::Policy& policy) {
    reporter.decision(event, policy);
  });
  if (auto finished = finish_bundle(options); !finished) {
    log_message(finished.error().message());
    log_message("the files of a bundle may be incomplete");
  }
  auto enforcement = Enforcement::start(
      options,
      [&folder](const hf_event& event, const EventAggregator::Policy& policy) {
        folder.add(event, policy, kernel::boottime_ns());
      },
      [](const std::string& text) { fmt::print(stderr, "{}", text); });
  if (!enforcement) return failed(enforcement.error());
  reporter.open_log();
  if (auto renewed = renew_files(**enforcement, options, reporter); !renewed)
    return failed(renewed.error());
  log_message(fmt::format("policy generation {} is live{}", (*enforcement)->live().number,
                          (*enforcement)->adopted() ? ", adopted" : ""));
  std::unique_ptr<Control> control;
  if (!options.socket.empty()) {
    auto made = Control::create(**enforcement, options);
    if (!made) return failed(made.error());
    control = *std::move(made);
    reporter.use(control.get());
  }
  Fd counting;  // the kernel counts as long as this is open
  if (options.program_runs == ProgramRuns::counted) {
    auto begun = kernel::enable_program_stats();
    if (!begun) return failed(begun.error());
    counting = *std::move(begun);
  }
  tell_manager("READY=1\nSTATUS=" + (*enforcement)->status_line());
  const auto ran =
      Service(**enforcement, folder, reporter, control.get(), signals->get(), *watch, options)
          .run();
  tell_manager("STOPPING=1");
  if (auto read = (*enforcement)->dispatch(); !read) log_message(read.error().message());
  folder.flush();
  reporter.flush();
  const bool in_use = control && control->in_use();
  log_end(**enforcement, options);
  if (!ran) log_message(ran.error().message());
  if (options.lifetime == Lifetime::for_runs && !in_use) {
    control.reset();
    enforcement->reset();
    // EBUSY: another one has taken it over.
    if (const auto stopped = backend::stop_machine(options.pin_dir);
        !stopped && stopped.error().code != EBUSY)
      log_message(stopped.error().message());
  }
  return ran ? kExitOk : kExitFailed;
}

void use_for_runs(Options& options) {
  options.lifetime = Lifetime::for_runs;
  options.dirs.paths.clear();
  options.pin_dir = kRunsPins;
  options.socket = rpc::kRunsSocket;
}

int stop_enforcing(const Options& options) {
  const auto stopped = backend::stop_machine(options.pin_dir);
  if (!stopped) return failed(stopped.error());
  log_message(*stopped == 0 ? "nothing was enforced" : "nothing is enforced any more");
  return kExitOk;
}

}  // namespace holdfast::daemon
