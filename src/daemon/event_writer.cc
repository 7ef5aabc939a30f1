// SPDX-License-Identifier: Apache-2.0
#include "daemon/event_writer.h"

#include <fmt/core.h>

#include <utility>

#include "daemon/journal_entry.h"
#include "events/event_json.h"
#include "events/guard_event.h"
#include "kernel/cgroup/cgroup.h"

namespace holdfast::daemon {

namespace {
constexpr std::size_t kMaxPaths = 4096;
}  // namespace

EventWriter::EventWriter(std::FILE* to, EventFormat format, policy::Colour colour, Fd cgroup_root)
    : to_(to), format_(format), colour_(colour), cgroup_root_(std::move(cgroup_root)) {}

// The path of a cgroup. Empty: it was removed before the first look-up. The results are cached,
// because a look-up takes several system calls and an event has up to four cgroups.
std::string EventWriter::path_of(std::uint64_t cgroup) const {
  if (!cgroup_root_) return {};
  if (const auto known = paths_.find(cgroup); known != paths_.end()) return known->second;
  auto path = kernel::cgroup_path(cgroup_root_.get(), cgroup);
  if (!path) return {};
  if (paths_.size() >= kMaxPaths) paths_.clear();
  return paths_.emplace(cgroup, *std::move(path)).first->second;
}

policy::EventPaths EventWriter::paths_of(const hf_event& event) const {
  if (event.request.op != HF_OP_CGROUP_ATTACH) return {};
  return {path_of(event.source), path_of(event.target)};
}

std::string EventWriter::json(const hf_event& event, const policy::Compiled& policy) const {
  return policy::event_json(event, policy, paths_of(event));
}

void EventWriter::print(const std::string& line) {
  fmt::print(to_, "{}\n", line);
  std::fflush(to_);
}

Result<void> EventWriter::write(const hf_event& event, const policy::Compiled& policy) {
  if (format_ == EventFormat::json) return print(json(event, policy)), Result<void>();
  const policy::EventPaths paths = paths_of(event);
  const std::string line = policy::event_text(event, policy, colour_, paths);
  if (format_ == EventFormat::pretty) return print(line), Result<void>();
  auto sent = kernel::send_to_journal(journal_fields(event, policy, paths, line));
  if (!sent) print(line);
  return sent;
}

Result<void> EventWriter::write(const hf_guard_event& refusal) {
  if (format_ == EventFormat::json) return print(policy::guard_event_json(refusal)), Result<void>();
  const std::string line = policy::guard_event_text(refusal, colour_);
  if (format_ == EventFormat::pretty) return print(line), Result<void>();
  auto sent = kernel::send_to_journal(journal_fields(refusal));
  if (!sent) print(line);
  return sent;
}

}  // namespace holdfast::daemon
