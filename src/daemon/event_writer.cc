// SPDX-License-Identifier: Apache-2.0
#include "daemon/event_writer.h"

#include <fmt/core.h>

#include <algorithm>
#include <chrono>
#include <utility>

#include "bundle/identity.h"
#include "bundle/machine.h"
#include "daemon/journal_entry.h"
#include "events/event_json.h"
#include "events/guard_event.h"
#include "kernel/proc/proc.h"
#include "kernel/process/process.h"

namespace holdfast::daemon {

EventWriter::EventWriter(std::FILE* to, EventFormat format, policy::Colour colour, Fd cgroup_root,
                         std::string state_dir)
    : to_(to),
      format_(format),
      colour_(colour),
      paths_(std::move(cgroup_root)),
      state_dir_(std::move(state_dir)),
      boot_(kernel::boot_id()) {
  if (auto machine = bundle::machine_identity()) machine_ = *std::move(machine);
  if (auto proc = kernel::Proc::open()) proc_ = *std::move(proc);
}

// The name is looked up once for each policy, which a bundle writes before it becomes live.
const std::string& EventWriter::name_of(std::uint64_t digest) {
  if (digest == named_digest_) return policy_name_;
  named_digest_ = digest;
  policy_name_.clear();
  if (state_dir_.empty()) return policy_name_;
  if (const auto record = bundle::read_record(state_dir_))
    policy_name_ = bundle::policy_name(*record, policy::digest_text(digest));
  return policy_name_;
}

// CLOCK_BOOTTIME as the sequence number needs no record: a later holdfastd of the same boot has a
// later time.
policy::EventContext EventWriter::context(const hf_task& actor, std::uint64_t time_ns) {
  const std::uint64_t now_ns = kernel::boottime_ns();
  sequence_ = std::max(sequence_ + 1, now_ns);
  policy::EventContext context{machine_, boot_, sequence_, 0, "", ""};
  const auto wall = std::chrono::system_clock::now().time_since_epoch();
  context.wall_ns = static_cast<std::uint64_t>(
                        std::chrono::duration_cast<std::chrono::nanoseconds>(wall).count()) -
                    (now_ns > time_ns ? now_ns - time_ns : 0);
  if (!proc_) return context;
  if (const auto task = proc_->task(static_cast<pid_t>(actor.tgid)))
    if (auto cgroup = task->cgroup()) context.cgroup = *std::move(cgroup);
  return context;
}

std::string EventWriter::json(const hf_event& event, const policy::Compiled& policy) {
  policy::EventContext where = context(event.actor, event.time_ns);
  where.policy_name = name_of(policy.digest);
  return policy::with_context(policy::event_json(event, policy, paths_.of(event)), where);
}

std::string EventWriter::json(const hf_guard_event& refusal) {
  return policy::with_context(policy::guard_event_json(refusal),
                              context(refusal.actor, refusal.time_ns));
}

void EventWriter::print(const std::string& line) {
  fmt::print(to_, "{}\n", line);
  std::fflush(to_);
}

Result<void> EventWriter::write(const hf_event& event, const policy::Compiled& policy,
                                const std::string& json) {
  if (format_ == EventFormat::json) return print(json), Result<void>();
  const policy::EventPaths paths = paths_.of(event);
  const std::string line = policy::event_text(event, policy, colour_, paths);
  if (format_ == EventFormat::pretty) return print(line), Result<void>();
  auto sent = kernel::send_to_journal(journal_fields(event, policy, paths, line));
  if (!sent) print(line);
  return sent;
}

Result<void> EventWriter::write(const hf_guard_event& refusal, const std::string& json) {
  if (format_ == EventFormat::json) return print(json), Result<void>();
  const std::string line = policy::guard_event_text(refusal, colour_);
  if (format_ == EventFormat::pretty) return print(line), Result<void>();
  auto sent = kernel::send_to_journal(journal_fields(refusal));
  if (!sent) print(line);
  return sent;
}

}  // namespace holdfast::daemon
