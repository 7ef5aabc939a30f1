// SPDX-License-Identifier: Apache-2.0
#include "daemon/service.h"

#include <fmt/core.h>
#include <signal.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <utility>

#include "backend/machine.h"
#include "daemon/unheld.h"
#include "kernel/cgroup.h"
#include "kernel/process.h"
#include "kernel/service_notify.h"

namespace holdfast::daemon {

namespace {

using Policy = std::shared_ptr<const policy::Compiled>;

void say(const std::string& text) { fmt::print(stderr, "holdfastd: {}\n", text); }

void say_mistake(const Error& error) {
  if (error.code == 0)
    fmt::print(stderr, "{}", error.detail);  // diagnostics, one paragraph each
  else
    say(error.message());
}

// Names every rule that is not held. Returns whether the policy may be used all the same.
bool accept_unheld(const policy::Compiled& policy, Unheld unheld) {
  const auto rules = unheld_rules(policy);
  for (const UnheldRule& rule : rules)
    fmt::print(stderr, "{}: {}: not enforced: {} ({})\n", rule.where.place(),
               unheld == Unheld::refuse ? "error" : "warning", rule.text, rule.why);
  if (rules.empty() || unheld == Unheld::allow) return true;
  say("not started with rules that nobody would enforce (--allow-unenforced to do so)");
  return false;
}

backend::MachineSpec machine_spec(const policy::Compiled& policy, const hf_tables& tables,
                                  const Options& options) {
  backend::MachineSpec spec;
  spec.tables = &tables;
  spec.cgroup_root = options.cgroup_root;
  for (const policy::Binding& binding : policy.bindings)
    spec.bindings.push_back({binding.cgroup, binding.profile});
  return spec;
}

Result<Fd> open_signals() {
  // A reader of events that goes away must not end enforcement.
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
  if (auto told = kernel::notify_service_manager(state); !told) say(told.error().message());
}

class Service {
 public:
  Service(const Options& options, EventWriter writer)
      : options_(options), writer_(std::move(writer)) {}

  Result<void> attach(Policy policy) {
    auto tables = next_tables(*policy);
    writer_.use(policy, tables->generation);
    auto machine = backend::attach_machine(machine_spec(*policy, *tables, options_),
                                           [this](const hf_event& event) { writer_.write(event); });
    if (!machine) return std::move(machine).error();
    machine_ = *std::move(machine);
    generation_ = tables->generation;
    return {};
  }

  Result<void> run(int signal_fd) {
    for (;;) {
      std::vector<int> fds = machine_->poll_fds();
      fds.push_back(signal_fd);
      const auto ready = kernel::poll_readable(fds, -1);
      if (!ready) return ready.error();
      if (auto read = machine_->dispatch(); !read) return read;
      const auto signal = kernel::read_signal(signal_fd);
      if (!signal) continue;
      if (signal->number != SIGHUP) return {};
      reload();
    }
  }

  void finish() {
    if (auto read = machine_->dispatch(); !read) say(read.error().message());
    const backend::Totals t = machine_->totals();
    machine_.reset();
    say(fmt::format("ended: {} allowed, {} denied, {} would be denied, {} errors, {} events lost",
                    t.allowed, t.denied, t.audited, t.errors, t.lost));
    say("nothing is enforced any more");
  }

 private:
  // The policy's tables under a generation of their own: events name it.
  std::unique_ptr<hf_tables> next_tables(const policy::Compiled& policy) const {
    auto tables = std::make_unique<hf_tables>(*policy.tables);
    tables->generation = generation_ + 1;
    return tables;
  }

  // Until the new policy is live the old one is, whatever goes wrong.
  void reload() {
    tell_manager(fmt::format("RELOADING=1\nMONOTONIC_USEC={}", monotonic_us()));
    auto policy = load_policy(options_.dirs);
    if (!policy) {
      say_mistake(policy.error());
      say("the policy in force stays");
    } else if (!accept_unheld(**policy, options_.unheld)) {
      say("the policy in force stays");
    } else {
      replace(*std::move(policy));
    }
    tell_manager("READY=1");
  }

  void replace(Policy policy) {
    const auto tables = next_tables(*policy);
    // Events of the new policy can be in the ring before update() returns; none is read before
    // use().
    if (auto live = machine_->update(machine_spec(*policy, *tables, options_)); !live) {
      say(live.error().message());
      say("the policy in force stays");
      return;
    }
    generation_ = tables->generation;
    writer_.use(std::move(policy), generation_);
    if (auto read = machine_->dispatch(); !read) say(read.error().message());
    say(fmt::format("policy generation {} is live", generation_));
  }

  const Options& options_;
  EventWriter writer_;
  std::unique_ptr<backend::Machine> machine_;
  std::uint64_t generation_ = 0;
};

// EINVAL and EXDEV: no unified cgroup hierarchy, or not all of it.
int exit_code_of(const Error& error) {
  constexpr int kImpossible[] = {ENOTSUP, EPERM, ENOSYS, EINVAL, EXDEV};
  return std::ranges::find(kImpossible, error.code) != std::end(kImpossible) ? kExitImpossible
                                                                             : kExitFailed;
}

// The policy at start. On failure everything was said and `exit_code` is what to end with.
Policy initial_policy(const Options& options, int& exit_code) {
  auto policy = load_policy(options.dirs);
  if (!policy) {
    say_mistake(policy.error());
    exit_code = policy.error().code == 0 ? kExitUsage : kExitFailed;
    return nullptr;
  }
  if (!accept_unheld(**policy, options.unheld)) {
    exit_code = kExitUsage;
    return nullptr;
  }
  return *std::move(policy);
}

int failed(const Error& error) {
  say(error.message());
  return exit_code_of(error);
}

}  // namespace

int check(const Options& options) {
  int exit_code = kExitOk;
  const Policy policy = initial_policy(options, exit_code);
  if (policy) say(fmt::format("the policy is good; profiles: {}", policy->profiles.size() - 1));
  return exit_code;
}

int serve(const Options& options) {
  int exit_code = kExitOk;
  Policy policy = initial_policy(options, exit_code);
  if (!policy) return exit_code;
  if (auto usable = backend::make_lsm_backend()->available(); !usable)
    return failed(usable.error());
  // Before attaching: a signal that arrives meanwhile waits until there is somebody to obey it.
  const auto signals = open_signals();
  if (!signals) return failed(signals.error());
  auto root = kernel::open_cgroup_root(options.cgroup_root);
  if (!root) return failed(root.error());
  const auto colour = isatty(STDOUT_FILENO) == 1 ? policy::Colour::on : policy::Colour::off;
  Service service(options, EventWriter(stdout, options.format, colour, *std::move(root)));
  if (auto attached = service.attach(std::move(policy)); !attached) return failed(attached.error());
  say("policy generation 1 is live");
  tell_manager("READY=1");
  const auto ran = service.run(signals->get());
  tell_manager("STOPPING=1");
  service.finish();
  if (ran) return kExitOk;
  say(ran.error().message());
  return kExitFailed;
}

}  // namespace holdfast::daemon
