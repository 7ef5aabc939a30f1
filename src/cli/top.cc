// SPDX-License-Identifier: Apache-2.0
// `holdfast top`: shows refusals as holdfastd reports them, by profile, rule or unit.
#include <fmt/core.h>
#include <poll.h>
#include <signal.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <memory>
#include <mutex>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <string_view>
#include <thread>
#include <utility>
#include <vector>

#include "base/printable.h"
#include "cli/commands.h"
#include "cli/live_policy.h"
#include "cli/top_model.h"
#include "core/abi.h"
#include "events/guard_event.h"
#include "events/recorded_event.h"
#include "explain/replay.h"
#include "explain/why.h"
#include "kernel/proc/proc.h"
#include "kernel/process/process.h"
#include "kernel/process/terminal.h"
#include "kernel/sockets/stream.h"
#include "kernel/wakeup.h"
#include "policy/policy_text.h"
#include "rpc/client.h"
#include "rpc/control_interface.h"

namespace holdfast::cli {
namespace {

using kernel::FullScreen;
using nlohmann::json;

constexpr std::uint64_t kNsPerSecond = 1'000'000'000;
constexpr std::size_t kMaxWaiting = 100'000;  // events that were received and not counted yet
constexpr int kEnding[] = {SIGINT, SIGTERM, SIGHUP, SIGQUIT};

int complain(int status, std::string_view text) {
  fmt::print(stderr, "holdfast top: {}\n", text);
  return status;
}

std::uint64_t now_s() { return kernel::boottime_ns() / kNsPerSecond; }

std::string method(std::string_view name) {
  return fmt::format("{}.{}", rpc::kControlInterface, name);
}

// What the thread that reads from holdfastd has received. Any thread.
class Inbox {
 public:
  explicit Inbox(Fd wakeup) : wakeup_(std::move(wakeup)) {}

  void add(std::string line) {
    const std::lock_guard held(mutex_);
    if (lines_.size() < kMaxWaiting) lines_.push_back(std::move(line));
    kernel::wake(wakeup_.get());
  }
  void end(std::string why) {
    const std::lock_guard held(mutex_);
    ended_ = std::move(why);
    kernel::wake(wakeup_.get());
  }
  // `ended`: why the connection has ended; empty: it has not.
  std::vector<std::string> take(std::optional<std::string>& ended) {
    (void)kernel::was_woken(wakeup_.get());
    const std::lock_guard held(mutex_);
    ended = std::exchange(ended_, std::nullopt);
    return std::exchange(lines_, {});
  }
  [[nodiscard]] int fd() const { return wakeup_.get(); }

 private:
  Fd wakeup_;
  std::mutex mutex_;
  std::vector<std::string> lines_;
  std::optional<std::string> ended_;
};

void read_events_of(rpc::Client client, const std::shared_ptr<Inbox>& inbox) {
  const auto ended =
      client.stream(method("Monitor"), json::object(), [&inbox](const rpc::Reply& reply) {
        const auto event = reply.parameters.find("event");
        if (event != reply.parameters.end())
          inbox->add(event->dump(-1, ' ', false, json::error_handler_t::replace));
        return true;
      });
  if (!ended)
    inbox->end(ended.error().message());
  else
    inbox->end(ended->error == "org.varlink.service.PermissionDenied" ? "only root may do this"
               : ended->error.empty() ? "holdfastd ended the connection"
                                      : ended->error);
}

// The unit of a process that may have ended.
std::string unit_of(const kernel::Proc& proc, std::uint32_t pid) {
  const auto task = proc.task(static_cast<pid_t>(pid));
  const auto cgroup = task ? task->cgroup() : Result<std::string>(task.error());
  if (!cgroup) return "(ended)";
  std::string_view unit = *cgroup;
  for (std::string_view rest = *cgroup; !rest.empty();) {
    rest.remove_prefix(1);
    const std::string_view name = rest.substr(0, rest.find('/'));
    rest.remove_prefix(std::min(rest.size(), name.size()));
    if (name.ends_with(".service") || name.ends_with(".scope")) unit = name;
  }
  return escape(unit);
}

// Empty: it is not a refusal.
std::optional<TopEvent> refusal_of(const std::string& line, const kernel::Proc& proc) {
  TopEvent top;
  top.line = line;
  if (const auto guard = policy::guard_event_from_json(line)) {
    top.rule = fmt::format("(the guard: {})", policy::guard_kind_name(guard->what));
    top.unit = unit_of(proc, guard->actor.tgid);
    top.enforced = guard->audited == 0;
    top.decisions = (guard->repeats & ~HF_REPEATS_DIFFER) + 1;
    return top;
  }
  const auto recorded = policy::RecordedEvent::parse(line);
  if (!recorded) return std::nullopt;
  const policy::Compiled names = recorded->recorded_policy();
  const auto event = recorded->event(names);
  if (!event || (event->verdict.action != HF_DENY && event->verdict.action != HF_LIMIT))
    return std::nullopt;
  if (event->verdict.profile < names.profiles.size())
    top.profile = escape(names.profiles[event->verdict.profile]);
  if (const auto rule = recorded->rule())
    top.rule = escape(fmt::format("{} {} = {}", rule->where.place(), rule->key, rule->text));
  top.unit = unit_of(proc, event->actor.tgid);
  top.enforced = event->verdict.mode == HF_MODE_ENFORCE;
  top.decisions = (event->repeats & ~HF_REPEATS_DIFFER) + 1;
  return top;
}

// The event as text, and its explanation by the policy in force.
std::string explanation(const std::string& line, const std::string& socket) {
  if (const auto guard = policy::guard_event_from_json(line))
    return policy::guard_event_text(*guard, policy::Colour::off) + "\n\n" +
           policy::explain_guard_event(*guard);
  const auto recorded = policy::RecordedEvent::parse(line);
  if (!recorded) return recorded.error().message();
  const policy::Compiled names = recorded->recorded_policy();
  const auto event = recorded->event(names);
  if (!event) return event.error().message();
  std::string text =
      policy::event_text(*event, names, policy::Colour::off, recorded->paths()) + "\n\n";
  std::string why;
  const auto live = live_policy(socket, why);
  if (!live) return text + why + "\n";
  const auto read = policy::read_policy(live->text);
  if (!read.compiled) return text + "The policy in force cannot be read by this version.\n";
  if (recorded->origin().digest != policy::digest_text(read.compiled->digest))
    text += "The policy has changed since. By the policy that is in force now:\n\n";
  const auto now = policy::event_under(*recorded, *read.compiled);
  return text +
         (now ? policy::explain(read.model, *read.compiled, now->request) : now.error().message());
}

bool has_unicode() {
  for (const char* name : {"LC_ALL", "LC_CTYPE", "LANG"}) {
    const char* value = std::getenv(name);
    if (value == nullptr || *value == '\0') continue;
    const std::string_view text(value);
    return text.ends_with("UTF-8") || text.ends_with("utf8");
  }
  return false;
}

bool has_colour() {
  const char* no_colour = std::getenv("NO_COLOR");
  const char* term = std::getenv("TERM");
  return (no_colour == nullptr || *no_colour == '\0') &&
         (term == nullptr || std::string_view(term) != "dumb");
}

class Top {
 public:
  Top(const TopOptions& options, kernel::Proc proc, std::shared_ptr<Inbox> inbox, Fd signals)
      : options_(options),
        proc_(std::move(proc)),
        inbox_(std::move(inbox)),
        signals_(std::move(signals)) {
    view_.has_unicode = has_unicode();
    view_.has_colour = has_colour();
  }

  // Returns the signal that ends the program, or 0 if the user ended it. Errors: of the terminal.
  Result<int> run() {
    HF_TRY(FullScreen::open(STDIN_FILENO, STDOUT_FILENO));
    while (!quit_ && signal_ == 0) {
      HF_TRY(draw());
      const std::uint64_t now = kernel::boottime_ns();
      const int left_ms = static_cast<int>((kNsPerSecond - now % kNsPerSecond) / 1'000'000 + 1);
      HF_TRY_ASSIGN(
          const auto ready,
          kernel::poll_for(
              {{STDIN_FILENO, POLLIN}, {signals_.get(), POLLIN}, {inbox_->fd(), POLLIN}}, left_ms));
      while (const auto signal = kernel::read_signal(signals_.get())) HF_TRY(on_signal(*signal));
      receive();
      if (ready[0] != 0) read_keys();
    }
    return signal_;
  }

  // Why it ended by itself; empty: it did not.
  [[nodiscard]] const std::string& failure() const { return failure_; }

 private:
  Result<void> draw() {
    const kernel::TerminalSize size = FullScreen::size();
    view_.rows = size.rows;
    view_.columns = size.columns;
    if (page_) return FullScreen::show(top_page(*page_, view_));
    TopView shown = view_;
    if (asked_mode_)
      shown.message =
          fmt::format("Set the mode of profile {} to {}? [y/N]", asked_profile_, *asked_mode_);
    auto drawn = FullScreen::show(top_screen(model_, shown, now_s()));
    view_.selected = shown.selected;
    return drawn;
  }

  Result<void> on_signal(const kernel::Signal& signal) {
    if (std::ranges::find(kEnding, signal.number) != std::end(kEnding)) signal_ = signal.number;
    if (signal.number != SIGTSTP) return {};
    FullScreen::close();
    kernel::stop_by(SIGTSTP);
    return FullScreen::open(STDIN_FILENO, STDOUT_FILENO);
  }

  void receive() {
    std::optional<std::string> ended;
    for (const std::string& line : inbox_->take(ended))
      if (const auto refusal = refusal_of(line, proc_)) model_.add(*refusal, now_s());
    if (ended && !was_connected_ && *ended != "holdfastd ended the connection") {
      failure_ = *ended;
      quit_ = true;
    }
    was_connected_ = was_connected_ || model_.total() != 0;
    if (ended) {
      lost_ = true;
      view_.message = fmt::format("{}; trying again", escape(*ended));
    }
    if (lost_ && now_s() != tried_s_) reconnect();
  }

  void reconnect() {
    tried_s_ = now_s();
    auto client = rpc::Client::connect(options_.socket);
    if (!client) return;
    lost_ = false;
    view_.message = "connected again";
    std::thread(read_events_of, *std::move(client), inbox_).detach();
  }

  void read_keys() {
    char bytes[64];
    const ssize_t count = read(STDIN_FILENO, bytes, sizeof(bytes));
    if (count <= 0) {
      quit_ = true;  // the terminal is gone
      return;
    }
    std::string_view keys(bytes, static_cast<std::size_t>(count));
    while (!keys.empty() && !quit_) {
      if (keys.starts_with("\x1b[") && keys.size() >= 3) {
        on_key(keys[2] == 'A' ? 'k' : keys[2] == 'B' ? 'j' : '\0');
        keys.remove_prefix(3);
      } else {
        on_key(keys[0]);
        keys.remove_prefix(1);
      }
    }
  }

  void on_key(char key) {
    if (std::exchange(page_, std::nullopt)) return;
    if (const auto mode = std::exchange(asked_mode_, std::nullopt)) {
      if (key == 'y' || key == 'Y') set_mode(*mode);
      return;
    }
    view_.message.clear();
    if (key == 'q') quit_ = true;
    if (key == 'p') by(TopBy::profile);
    if (key == 'r') by(TopBy::rule);
    if (key == 'u') by(TopBy::unit);
    if (key == 'j') view_.selected++;
    if (key == 'k' && view_.selected > 0) view_.selected--;
    if (key == 'w' || key == '\n' || key == '\r') why();
    if (key == 'a') ask("audit");
    if (key == 'e') ask("enforce");
  }

  void by(TopBy what) {
    view_.by = what;
    view_.selected = 0;
  }

  [[nodiscard]] const TopRow* selected() const {
    const auto rows = model_.rows(view_.by, now_s());
    return rows.empty() ? nullptr : rows[std::min(view_.selected, rows.size() - 1)];
  }

  void why() {
    if (const TopRow* row = selected()) page_ = explanation(row->last_line, options_.socket);
  }

  void ask(const char* mode) {
    const TopRow* row = selected();
    if (row == nullptr || row->profile.empty()) {
      view_.message = "no profile is selected";
      return;
    }
    asked_profile_ = row->profile;
    asked_mode_ = mode;
  }

  void set_mode(const std::string& mode) {
    auto client = rpc::Client::connect(options_.socket);
    const auto reply =
        client ? client->call(method("SetMode"), {{"profile", asked_profile_}, {"mode", mode}})
               : Result<rpc::Reply>(client.error());
    if (!reply)
      view_.message = escape(reply.error().message());
    else if (!reply->error.empty())
      view_.message =
          escape(fmt::format("not done: {} {}", reply->error, reply->parameters.dump()));
    else
      view_.message = fmt::format("profile {} is in mode {}", asked_profile_, mode);
  }

  const TopOptions& options_;
  kernel::Proc proc_;
  std::shared_ptr<Inbox> inbox_;
  Fd signals_;
  TopModel model_;
  TopView view_;
  std::optional<std::string> page_;        // shown in place of the rows
  std::optional<std::string> asked_mode_;  // the question that is open
  std::string asked_profile_;
  std::string failure_;
  bool quit_ = false;
  bool lost_ = false;
  bool was_connected_ = false;
  std::uint64_t tried_s_ = 0;
  int signal_ = 0;
};

}  // namespace

int top(const TopOptions& options) {
  if (!kernel::is_terminal(STDIN_FILENO) || !kernel::is_terminal(STDOUT_FILENO))
    return complain(kExitUsage,
                    "standard input and output must be a terminal; holdfast monitor prints "
                    "decisions into a file");
  auto client = rpc::Client::connect(options.socket);
  if (!client) return complain(kExitFailed, client.error().message() + ": is holdfastd running?");
  auto proc = kernel::Proc::open();
  if (!proc) return complain(kExitFailed, proc.error().message());
  // Before the thread, which inherits the mask.
  sigset_t signals;
  sigset_t previous;
  sigemptyset(&signals);
  for (const int signal : {SIGINT, SIGTERM, SIGHUP, SIGQUIT, SIGTSTP, SIGWINCH})
    sigaddset(&signals, signal);
  auto signal_fd = kernel::open_signalfd(signals, &previous);
  if (!signal_fd) return complain(kExitFailed, signal_fd.error().message());
  auto wakeup = kernel::make_wakeup();
  if (!wakeup) return complain(kExitFailed, wakeup.error().message());
  const auto inbox = std::make_shared<Inbox>(*std::move(wakeup));
  std::thread(read_events_of, *std::move(client), inbox).detach();
  Top screen(options, *std::move(proc), inbox, *std::move(signal_fd));
  const auto ended = screen.run();
  FullScreen::close();
  if (!ended) return complain(kExitFailed, ended.error().message());
  if (!screen.failure().empty()) return complain(kExitFailed, escape(screen.failure()));
  if (*ended != 0) kernel::end_by(*ended);
  return kExitOk;
}

}  // namespace holdfast::cli
