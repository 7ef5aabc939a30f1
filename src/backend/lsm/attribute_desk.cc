// SPDX-License-Identifier: Apache-2.0
#include "backend/lsm/attribute_desk.h"

#include <poll.h>
#include <sys/syscall.h>

#include <cerrno>

#include "backend/notify/caller.h"
#include "core/decide.h"
#include "kernel/child.h"
#include "kernel/live_files.h"
#include "kernel/process.h"

namespace holdfast::backend::lsm {

namespace {

using kernel::ArgumentTest;
constexpr int kCallsPerDispatch = 64;

}  // namespace

AttributeDesk::AttributeDesk(const SessionSpec& spec, std::uint64_t set,
                             const SessionRecord& record, kernel::Proc proc)
    : spec_(spec),
      set_(set),
      record_(record),
      proc_(std::move(proc)),
      filter_(kernel::SeccompFilter::without_limits()) {}

Result<std::unique_ptr<AttributeDesk>> AttributeDesk::create(const SessionSpec& spec,
                                                             std::uint64_t set,
                                                             notify::LabelMirror& mirror,
                                                             const SessionRecord& record) {
  auto proc = kernel::Proc::open();
  if (!proc) return proc.error();
  std::unique_ptr<AttributeDesk> desk(new AttributeDesk(spec, set, record, std::move(*proc)));
  auto labels = notify::SocketLabels::create(desk->proc_, notify::SocketAttributes::emulated);
  if (!labels) return wrap(labels.error(), "keep socket labels");
  desk->labels_.emplace(std::move(*labels));
  desk->labels_->mirror_to(mirror);
  desk->filter_.add(SYS_setns, {{1, ArgumentTest::Kind::equals, kernel::kCanaryArgument}},
                    SECCOMP_RET_USER_NOTIF);
  notify::add_attribute_calls(desk->filter_, notify::AttributeCalls::all);
  if (const auto self = desk->proc_.task(kernel::own_pid()))
    if (const auto namespaces = self->namespaces())
      desk->own_user_namespace_ = namespaces->link[kernel::kUserNamespace];
  return desk;
}

Result<void> AttributeDesk::adopt(const Child& child) {
  auto fd = kernel::duplicate(child.listener_fd);
  if (!fd) return wrap(fd.error(), "take the seccomp listener");
  listener_fd_ = std::move(*fd);
  auto listener = kernel::Listener::create(listener_fd_.get());
  if (!listener) return listener.error();
  listener_.emplace(std::move(*listener));
  kernel::raise_descriptor_limit();
  return notify::answer_canary(*listener_, listener_fd_.get(), child.pid);
}

std::vector<int> AttributeDesk::poll_fds() const {
  return {listener_fd_.get(), labels_->timer_fd()};
}

Result<void> AttributeDesk::dispatch(const std::function<Result<void>()>& before) {
  if (kernel::timer_expired(labels_->timer_fd())) labels_->collect();
  for (int handled = 0; handled < kCallsPerDispatch; handled++) {
    const auto ready = kernel::poll_readable({listener_fd_.get()}, 0);
    if (!ready) return ready.error();
    if (!(ready->front() & POLLIN)) return {};
    if (auto done = before(); !done) return done;
    if (auto done = answer_next(); !done) return done;
  }
  return {};
}

Result<void> AttributeDesk::answer_next() {
  using notify::Answer;
  const auto received = listener_->receive();
  if (!received) {
    if (received.error().code == ENOENT || received.error().code == EINTR) return {};
    return received.error();
  }
  const seccomp_notif call = **received;
  // Only the child makes it, once, and that was answered.
  if (!notify::is_attribute_call(call.data.nr))
    return notify::give(*listener_, call.id, Answer::go_on());
  const auto task = proc_.task(static_cast<pid_t>(call.pid));
  if (!task) return notify::give(*listener_, call.id, Answer::error(EPERM));
  const std::function<bool()> waiting = [&] { return listener_->waiting(call.id); };
  const notify::Judge judged = [&](hf_request request, std::uint64_t cookie) {
    return judge(call, *task, request, cookie);
  };
  const std::function<bool()> own = [&] {
    const auto namespaces = task->namespaces();
    return namespaces && namespaces->link[kernel::kUserNamespace] == own_user_namespace_;
  };
  return notify::give(
      *listener_, call.id,
      notify::answer_attribute_call(*labels_, {call, *task, own, waiting, judged, spec_.labels}));
}

int AttributeDesk::judge(const seccomp_notif& call, const kernel::TaskDirectory& task,
                         hf_request request, std::uint64_t cookie) {
  request.subject = spec_.profile;
  request.subject_set = set_;
  hf_verdict verdict;
  hf_decide(spec_.tables, &request, &verdict);
  count(verdict);
  if (verdict.log && spec_.sink) {
    hf_event event = {};
    event.version = HF_ABI_VERSION;
    event.length = sizeof(event);
    event.id = SessionRecord::at(record_.fields().totals.events).fetch_add(1) + 1;
    event.time_ns = kernel::boottime_ns();
    event.generation = spec_.tables->generation;
    event.target = cookie;
    event.actor = notify::describe_task(task).value_or(hf_task{});
    event.actor.pid = call.pid;
    event.verdict = verdict;
    event.request = request;
    spec_.sink(event);
  }
  return -hf_enforced_error(&verdict);
}

void AttributeDesk::count(const hf_verdict& verdict) const {
  hf_session_totals& totals = record_.fields().totals;
  const bool refused = verdict.action == HF_DENY;
  const bool enforced = verdict.mode == HF_MODE_ENFORCE;
  SessionRecord::at(!refused   ? totals.allowed
                    : enforced ? totals.denied
                               : totals.audited)
      .fetch_add(1);
  if (refused && enforced && verdict.reason == HF_REASON_FACTS_MISSING)
    SessionRecord::at(totals.errors).fetch_add(1);
}

}  // namespace holdfast::backend::lsm
