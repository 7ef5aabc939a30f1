// SPDX-License-Identifier: Apache-2.0
#include "backend/lsm/run/syscall_emulator.h"

#include <poll.h>
#include <sys/syscall.h>

#include <algorithm>
#include <cerrno>

#include "backend/calls/caller.h"
#include "backend/decided.h"
#include "backend/lsm/run/seen_peers.h"
#include "core/decide.h"
#include "kernel/process/child.h"
#include "kernel/process/process.h"
#include "kernel/timer.h"

namespace holdfast::backend::lsm {

namespace {

using kernel::ArgumentTest;
constexpr int kCallsPerDispatch = 64;

const hf_profile& profile_of(const SessionSpec& spec) {
  return spec.tables->profiles[spec.profile];
}

}  // namespace

bool needs_syscall_emulator(const SessionSpec& spec, const Programs& programs) {
  return programs.mirrored() &&
         (!programs.kernel_labels() || calls::makes_accepts(*spec.tables, profile_of(spec)));
}

SyscallEmulator::SyscallEmulator(const SessionSpec& spec, std::uint64_t set,
                                 const Programs& programs, kernel::Proc proc)
    : spec_(spec),
      set_(set),
      programs_(programs),
      record_(programs.record()),
      proc_(std::move(proc)),
      filter_(kernel::SeccompFilter::without_limits()) {}

Result<std::unique_ptr<SyscallEmulator>> SyscallEmulator::create(const SessionSpec& spec,
                                                                 std::uint64_t set,
                                                                 calls::LabelMirror& mirror,
                                                                 const Programs& programs) {
  HF_TRY_ASSIGN(auto proc, kernel::Proc::open());
  std::unique_ptr<SyscallEmulator> emulator(
      new SyscallEmulator(spec, set, programs, std::move(proc)));
  const bool keeps_labels = !programs.kernel_labels();
  const auto attributes =
      keeps_labels ? calls::SocketAttributes::emulated : calls::SocketAttributes::native;
  HF_TRY_ASSIGN(auto labels, wrap(calls::SocketLabels::create(emulator->proc_, attributes),
                                  "keep socket labels"));
  emulator->labels_.emplace(std::move(labels));
  emulator->filter_.add(SYS_setns, {{1, ArgumentTest::Kind::equals, kernel::kSelfTestArgument}},
                        SECCOMP_RET_USER_NOTIF);
  if (keeps_labels) {
    emulator->labels_->mirror_to(mirror);
    calls::add_attribute_calls(emulator->filter_, calls::AttributeCalls::all);
  }
  if (calls::makes_accepts(*spec.tables, profile_of(spec))) {
    for (const int number : {SYS_accept, SYS_accept4})
      emulator->filter_.add(number, {}, SECCOMP_RET_USER_NOTIF);
    HF_TRY_ASSIGN(auto cgroups, wrap(kernel::CgroupMounts::read(), "find cgroups"));
    emulator->cgroups_.emplace(std::move(cgroups));
  }
  if (const auto self = emulator->proc_.task(kernel::own_pid()))
    if (const auto namespaces = self->namespaces())
      emulator->own_user_namespace_ = namespaces->link[kernel::kUserNamespace];
  return emulator;
}

Result<void> SyscallEmulator::adopt(const Child& child) {
  HF_TRY_ASSIGN(listener_, calls::take_listener(child));
  HF_TRY(open_accepts(child));
  kernel::raise_descriptor_limit();
  return calls::answer_self_test(*listener_, child.pid);
}

Result<void> SyscallEmulator::open_accepts(const Child& child) {
  if (!cgroups_) return {};
  peers_ = std::make_unique<SeenPeers>(programs_.seen_peer_fd());
  HF_TRY_ASSIGN(auto jobs, wrap(calls::Jobs::create(), "make calls for the members"));
  jobs_.emplace(std::move(jobs));
  accepts_.emplace(calls::AcceptContext{
      *spec_.tables, spec_.profile, spec_.labels, *labels_, *peers_, *jobs_, *listener_,
      [this](const seccomp_notif& call, const kernel::TaskDirectory& task, hf_request request,
             std::uint64_t cookie, unsigned) { return judge(call, task, request, cookie); },
      calls::FallbackEnforcer::bpf, shared_tables_, child.channel_cookie});
  return {};
}

std::vector<int> SyscallEmulator::poll_fds() const {
  std::vector<int> fds = {listener_->fd(), labels_->timer_fd()};
  if (jobs_) std::ranges::copy(jobs_->poll_fds(), std::back_inserter(fds));
  return fds;
}

Result<void> SyscallEmulator::dispatch(const std::function<Result<void>()>& before) {
  if (kernel::timer_expired(labels_->timer_fd())) labels_->collect();
  if (jobs_) {
    HF_TRY(before());
    jobs_->look(*listener_);
  }
  for (int handled = 0; handled < kCallsPerDispatch; handled++) {
    HF_TRY_ASSIGN(const auto ready, kernel::poll_readable({listener_->fd()}, 0));
    if (!(ready.front() & POLLIN)) return {};
    HF_TRY(before());
    HF_TRY(answer_next());
  }
  return {};
}

Result<void> SyscallEmulator::answer_next() {
  using calls::Answer;
  const auto received = listener_->receive();
  if (!received) {
    if (received.error().code == ENOENT || received.error().code == EINTR) return {};
    return received.error();
  }
  const seccomp_notif call = **received;
  const bool accepts = calls::is_accept_call(call.data.nr);
  // Only the child makes another one, once, and that was answered.
  if (!accepts && !calls::is_attribute_call(call.data.nr))
    return calls::give(*listener_, call.id, Answer::continue_syscall());
  const auto task = proc_.task(static_cast<pid_t>(call.pid));
  if (!task) return calls::give(*listener_, call.id, Answer::error(EPERM));
  return calls::give(*listener_, call.id,
                     accepts ? accepts_->handle(call, *task) : answer_attributes(call, *task));
}

calls::Answer SyscallEmulator::answer_attributes(const seccomp_notif& call,
                                                 const kernel::TaskDirectory& task) {
  const std::function<bool()> waiting = [&] { return listener_->waiting(call.id); };
  const calls::Judge judged = [&](hf_request request, std::uint64_t cookie) {
    return judge(call, task, request, cookie);
  };
  const std::function<bool()> own = [&] {
    const auto namespaces = task.namespaces();
    return namespaces && namespaces->link[kernel::kUserNamespace] == own_user_namespace_;
  };
  return calls::answer_attribute_call(
      *labels_, {call, task, shared_tables_, own, waiting, judged, spec_.labels});
}

// Of the same bucket that the programs take from.
bool SyscallEmulator::has_token(const hf_verdict& verdict,
                                const kernel::TaskDirectory& task) const {
  const auto path = task.cgroup();
  if (!path || !cgroups_ || cgroups_->unified().empty()) return false;
  const auto cgroup = cgroups_->id(*path);
  return cgroup && programs_.take_token(spec_.profile, verdict.rule, *cgroup);
}

int SyscallEmulator::judge(const seccomp_notif& call, const kernel::TaskDirectory& task,
                           hf_request request, std::uint64_t cookie) {
  request.subject = spec_.profile;
  request.subject_set = set_;
  hf_verdict verdict;
  hf_decide(spec_.tables, &request, &verdict);
  if (verdict.action == HF_LIMIT) hf_settle(spec_.tables, &verdict, has_token(verdict, task));
  hf_count_decision(&record_.fields().totals.decisions, &verdict);
  if (verdict.log && spec_.sink) {
    hf_task actor = calls::describe_task(task).value_or(hf_task{});
    actor.pid = call.pid;
    hf_event event =
        decided(request, verdict, actor, spec_.tables->generation, kernel::boottime_ns());
    event.id = SessionRecord::at(record_.fields().totals.events).fetch_add(1) + 1;
    event.target = cookie;
    spec_.sink(event);
  }
  return -hf_enforced_error(&verdict);
}

}  // namespace holdfast::backend::lsm
