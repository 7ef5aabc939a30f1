// SPDX-License-Identifier: Apache-2.0
#include "backend/supervisor/nested_session.h"

#include <cerrno>
#include <cstring>

#include "backend/supervisor/cgroup_files.h"
#include "kernel/process/landlock.h"
#include "kernel/process/process.h"
#include "kernel/sockets/passed_descriptors.h"

namespace holdfast::backend::supervisor {
namespace {

using kernel::ask_outer_run;
using kernel::NestedRunCommand;

constexpr int kTotalsTries = 1000;
constexpr int kTotalsWaitMs = 10;

// The first kind of rule that the outer run does not take over; "": there is none.
std::string_view foreign_rule(const hf_profile& profile) {
  if (profile.socket_count > 0) return "sockets";
  if (profile.label_ruled || profile.label_inherit) return "labels";
  if (protects_cgroups(profile)) return "cgroups";
  return {};
}

Result<std::optional<NestedRunPacket>> receive(int channel) {
  HF_TRY_ASSIGN(const auto raw, kernel::try_receive_packet(channel, sizeof(NestedRunPacket)));
  if (!raw) return std::optional<NestedRunPacket>();
  NestedRunPacket packet;
  if (raw->size() != sizeof(packet)) return Error{EPROTO, "hear from the run outside", {}, {}};
  std::memcpy(static_cast<void*>(&packet), raw->data(), sizeof(packet));
  return std::optional(packet);
}

}  // namespace

bool in_a_run() { return static_cast<bool>(ask_outer_run(NestedRunCommand::probe, 0)); }

Result<std::unique_ptr<NestedSession>> NestedSession::create(const SessionSpec& spec) {
  const hf_profile& profile = spec.tables->profiles[spec.profile];
  if (const auto rule = foreign_rule(profile); !rule.empty())
    return Error{ENOTSUP, "hold a run inside a run", std::string(rule),
                 "there it can have rules about namespaces and tracing only: give the other rules "
                 "to the outermost run"};
  Fd landlock;
  if (const auto abi = kernel::landlock_abi()) {
    HF_TRY_ASSIGN(landlock, kernel::make_scope_ruleset(*abi));
  }
  NestedRunRequest request;
  request.unshare_types = spec.unshare_types;
  request.landlock = landlock ? 1 : 0;
  request.generation = spec.tables->generation;
  request.profile = profile;
  auto opened = ask_outer_run(NestedRunCommand::open, reinterpret_cast<std::uint64_t>(&request));
  if (!opened) return opened.error();
  Fd channel(*opened);
  HF_TRY_ASSIGN(const auto first, receive(channel.get()));
  if (!first || first->kind != NestedRunPacket::Kind::opened || first->key == 0)
    return Error{EPROTO, "hear from the run outside", {}, {}};
  return std::unique_ptr<NestedSession>(
      new NestedSession(spec, std::move(landlock), std::move(channel), first->key));
}

Result<ChildPlan> NestedSession::before_fork() {
  return ChildPlan{
      .landlock_fd = landlock_.get(), .no_new_privs = !kernel::has_sys_admin(), .join = key_};
}

void NestedSession::take(const NestedRunPacket& packet) {
  if (packet.kind == NestedRunPacket::Kind::totals) {
    totals_.emplace(packet.totals);
    totals_->lost = packet.lost;
  }
  if (packet.kind != NestedRunPacket::Kind::event || !spec_.sink) return;
  hf_event event = packet.event;
  hf_request& request = event.request;
  for (__u16* number :
       {&request.subject, &request.object, &request.held_owner, &request.target_owner})
    if (*number == kNestedProfile) *number = spec_.profile;
  spec_.sink(event);
}

Result<void> NestedSession::dispatch() {
  for (;;) {
    auto packet = receive(channel_.get());
    // The outer run has died. What is left of it refuses all calls.
    if (!packet) return packet.error();
    if (!*packet) return {};
    take(**packet);
  }
}

Result<Totals> NestedSession::finish() {
  for (int tries = 0; tries < kTotalsTries && !totals_; tries++) {
    const auto asked = ask_outer_run(NestedRunCommand::totals, key_);
    HF_TRY(dispatch());
    if (asked || totals_) continue;
    if (asked.error().code != EAGAIN) return asked.error();
    HF_TRY_ASSIGN(std::ignore, kernel::poll_readable({channel_.get()}, kTotalsWaitMs));
  }
  if (!totals_) return Error{ETIMEDOUT, "hear from the run outside", {}, {}};
  return *totals_;
}

}  // namespace holdfast::backend::supervisor
