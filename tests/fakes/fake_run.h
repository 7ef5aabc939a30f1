// SPDX-License-Identifier: Apache-2.0
// A run under the supervisor without a tree: the real session, a fake /proc and a fake listener.
#ifndef HOLDFAST_TESTS_FAKES_FAKE_RUN_H
#define HOLDFAST_TESTS_FAKES_FAKE_RUN_H

#include <sys/syscall.h>

#include <memory>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include "backend/supervisor/session.h"
#include "fakes/fake_listener.h"
#include "fakes/fake_proc.h"
#include "kernel/process/child.h"
#include "kernel/process/process.h"
#include "policy/compile.h"
#include "policy/parse.h"

namespace holdfast::fakes {

// Threads of the fake tree. No process has such numbers: they are above pid_max.
inline constexpr pid_t kFirstTask = 0x40000001;
inline constexpr pid_t kSecondTask = 0x40000002;

// Throws std::runtime_error when something of the frame itself goes wrong. One thread.
class FakeRun {
 public:
  // `policy`: the text of a policy; its first profile is the run's.
  explicit FakeRun(const std::string& policy)
      : parsed_(policy::parse({{"fake.toml", policy}})), compiled_(compile()) {
    proc_.add({.thread = kFirstTask, .parent = ::getpid()});
    auto owned = std::make_unique<FakeListener>();
    listener_ = owned.get();
    backend::SessionSpec spec;
    spec.tables = compiled_->tables.get();
    spec.profile = 1;
    spec.sink = [this](const hf_event& event) { events_.push_back(event); };
    spec.guard_sink = [this](const hf_guard_event& event) { guard_events_.push_back(event); };
    backend::Child child;
    child.pid = kFirstTask;
    child.namespace_fd.fill(-1);
    auto session = backend::supervisor::SupervisorSession::create(
        spec,
        {proc_.open(), [&](const backend::Child&) -> Result<std::unique_ptr<kernel::Listener>> {
           return std::unique_ptr<kernel::Listener>(std::move(owned));
         }});
    check(session);
    session_ = std::move(*session);
    const std::uint64_t self_test = listener_->deliver(
        kFirstTask, SYS_setns, {0, static_cast<std::uint64_t>(kernel::kSelfTestArgument)});
    check(session_->adopt(child));
    if (listener_->reply(self_test).error != kernel::kSelfTestError)
      throw std::runtime_error("the self-test was not refused");
  }

  [[nodiscard]] FakeListener& listener() { return *listener_; }
  [[nodiscard]] FakeProc& proc() { return proc_; }
  [[nodiscard]] const std::vector<hf_event>& events() const { return events_; }
  [[nodiscard]] const std::vector<hf_guard_event>& guard_events() const { return guard_events_; }
  [[nodiscard]] Result<void> dispatch() { return session_->dispatch(); }
  [[nodiscard]] Result<backend::Totals> finish() { return session_->finish(); }

  // Lets the session answer this one call. A job of it has a second to end.
  Reply call(int number, const std::array<std::uint64_t, 6>& args = {}, pid_t thread = kFirstTask) {
    const std::uint64_t id = listener_->deliver(thread, number, args);
    check(session_->dispatch());
    for (int look = 0; look < 1000 && listener_->waiting(id); look++) {
      kernel::sleep_us(1000);
      check(session_->dispatch());
    }
    return listener_->reply(id);
  }

 private:
  template <typename T>
  static void check(const Result<T>& result) {
    if (!result) throw std::runtime_error(result.error().message());
  }
  std::unique_ptr<const policy::Compiled> compile() {
    if (!parsed_.diagnostics.empty()) throw std::runtime_error(parsed_.diagnostics.front().message);
    return policy::compile(parsed_.model);
  }

  policy::ParseResult parsed_;
  std::unique_ptr<const policy::Compiled> compiled_;
  FakeProc proc_;
  FakeListener* listener_ = nullptr;  // the session's
  std::unique_ptr<backend::supervisor::SupervisorSession> session_;
  std::vector<hf_event> events_;
  std::vector<hf_guard_event> guard_events_;
};

}  // namespace holdfast::fakes

#endif  // HOLDFAST_TESTS_FAKES_FAKE_RUN_H
