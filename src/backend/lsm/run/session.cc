// SPDX-License-Identifier: Apache-2.0
#include "backend/lsm/run/session.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/stat.h>

#include <algorithm>
#include <cerrno>
#include <tuple>

#include "backend/lsm/run/self_test.h"
#include "kernel/system_error.h"
#include "label/access.h"
#include "label/stable_copy.h"

namespace holdfast::backend::lsm {

namespace {

constexpr std::uint64_t kSandboxSet =
    1;  // a session has one set; its programs see no other session's
constexpr int kDyingPatienceMs = 5000;

}  // namespace

Result<std::unique_ptr<Session>> LsmSession::open(const SessionSpec& spec) {
  if (spec.tables->profiles[spec.profile].bpf_ruled != 0)
    return Error{ENOTSUP, "open session", {}, "only holdfastd decides rules about bpf"};
  std::unique_ptr<LsmSession> session(new LsmSession(spec));
  HF_TRY_ASSIGN(session->programs_, Programs::load(needs_of(*spec.tables), spec));
  HF_TRY(session->programs_->publish(HF_TABLES_POLICY, *spec.tables));
  HF_TRY(session->programs_->attach());
  HF_TRY(session->programs_->protect_caller());
  HF_TRY(run_self_test(*session->programs_));

  HF_TRY(session->know_labels());

  const auto report = [self = session.get()](std::span<const std::byte> bytes) {
    if (bytes.size() == sizeof(hf_event) && self->spec_.sink)
      self->spec_.sink(*reinterpret_cast<const hf_event*>(bytes.data()));
    if (bytes.size() == sizeof(hf_guard_event) && self->spec_.guard_sink)
      self->spec_.guard_sink(*reinterpret_cast<const hf_guard_event*>(bytes.data()));
  };
  HF_TRY_ASSIGN(session->ring_, kernel::BpfRing::create(session->programs_->events_fd(), report));
  HF_TRY_ASSIGN(auto guardian, Guardian::start(*session->programs_));
  session->guardian_.emplace(std::move(guardian));
  return std::unique_ptr<Session>(std::move(session));
}

Result<void> LsmSession::know_labels() {
  if (!programs_->mirrored()) return {};
  mirror_.emplace(programs_->label_mirror_fd(), spec_.labels);
  if (needs_syscall_emulator(spec_, *programs_)) {
    HF_TRY_ASSIGN(calls_, SyscallEmulator::create(spec_, kSandboxSet, *mirror_, *programs_));
  }
  if (!programs_->kernel_labels()) return {};
  HF_TRY(mirror_->prove());
  // A label that was on its way while the programs were attached may be recorded nowhere: then all
  // sockets are looked at again.
  auto lost = SessionRecord::at(programs_->record().fields().labels_lost);
  for (unsigned round = 0; round < label::kMaxCopyRounds; round++) {
    lost.store(0);
    HF_TRY(mirror_->copy_machine());
    if (lost.load() == 0) break;
  }
  return {};
}

LsmSession::~LsmSession() {
  if (!guardian_) return;
  const auto gone = kill_members(*programs_, kDyingPatienceMs);
  if (!gone || !*gone) guardian_->leave_on_duty();
}

Result<ChildPlan> LsmSession::before_fork() {
  hf_member member{};
  member.profile = spec_.profile;
  member.tables = HF_TABLES_POLICY;
  member.set = kSandboxSet;
  HF_TRY(programs_->arm(member));
  return ChildPlan{.filter = calls_ ? calls_->filter() : nullptr};
}

Result<void> LsmSession::adopt(const Child& child) {
  SessionRecord::at(programs_->record().fields().channel_cookie).store(child.channel_cookie);
  HF_TRY_ASSIGN(const auto members, programs_->members());
  if (std::find(members.begin(), members.end(), child.pid) == members.end())
    return Error{ESRCH, "hold the child", {}, "it did not become a member when it was forked"};
  HF_TRY(track(child));
  if (calls_) HF_TRY(calls_->adopt(child));
  SessionRecord::at(programs_->record().fields().adopted).store(1);
  return {};
}

Result<void> LsmSession::track(const Child& child) {
  std::array<std::uint32_t, HF_NS_COUNT> inodes{};
  for (std::size_t bit = 0; bit < inodes.size(); bit++) {
    if (!(spec_.unshare_types & (1u << bit))) continue;
    namespaces_[bit].reset(fcntl(child.namespace_fd[bit], F_DUPFD_CLOEXEC, 3));
    struct stat found {};
    if (!namespaces_[bit] || fstat(namespaces_[bit].get(), &found) != 0)
      return kernel::system_error("identify namespace");
    inodes[bit] = static_cast<std::uint32_t>(found.st_ino);
  }
  if (spec_.unshare_types == 0) return {};
  return programs_->adopt(child.pid, inodes, kSandboxSet, spec_.profile);
}

std::vector<int> LsmSession::poll_fds() const {
  std::vector<int> fds = {ring_->poll_fd(), guardian_->pidfd()};
  if (!calls_) return fds;
  for (const int fd : calls_->poll_fds()) fds.push_back(fd);
  return fds;
}

Result<void> LsmSession::dispatch() {
  HF_TRY(ring_->consume());
  if (calls_) HF_TRY(calls_->dispatch([this] { return ring_->consume(); }));
  pollfd guardian{guardian_->pidfd(), POLLIN, 0};
  if (poll(&guardian, 1, 0) > 0)
    return Error{EOWNERDEAD, "keep watch", {}, "the guardian was killed"};
  return {};
}

Result<Totals> LsmSession::finish() {
  HF_TRY_ASSIGN(std::ignore, kill_members(*programs_, kDyingPatienceMs));
  HF_TRY(ring_->consume());
  return programs_->record().totals();
}

}  // namespace holdfast::backend::lsm
