// SPDX-License-Identifier: Apache-2.0
// Writes decisions, and refused attacks on the enforcement itself: each as one line of text or
// JSON, or as one entry of the journal.
#ifndef HOLDFAST_DAEMON_EVENT_WRITER_H
#define HOLDFAST_DAEMON_EVENT_WRITER_H

#include <cstdio>
#include <optional>
#include <string>

#include "base/fd.h"
#include "base/result.h"
#include "core/guard.h"
#include "daemon/move_path_cache.h"
#include "events/event_context.h"
#include "events/event_text.h"
#include "kernel/proc/proc.h"
#include "policy/compiled.h"

namespace holdfast::daemon {

enum class EventFormat { pretty, json, journal };

// One thread.
class EventWriter {
 public:
  // `to` is borrowed. `cgroup_root` is the root directory of the unified hierarchy, for the paths
  // of cgroups; invalid: events have no paths.
  // `state_dir` has the record of bundles; empty: policies have no names.
  EventWriter(std::FILE* to, EventFormat format, policy::Colour colour, Fd cgroup_root,
              std::string state_dir = "");

  // `policy` is the one that decided, `json` the object that json() returned. Errors: those of sending
  // to the journal; the line is then written to the stream.
  Result<void> write(const hf_event& event, const policy::Compiled& policy,
                     const std::string& json);
  Result<void> write(const hf_guard_event& refusal, const std::string& json);

  // The event as one JSON object, with the paths of its cgroups and its context. Each call has a
  // sequence number of its own.
  [[nodiscard]] std::string json(const hf_event& event, const policy::Compiled& policy);
  [[nodiscard]] std::string json(const hf_guard_event& refusal);

 private:
  void print(const std::string& line);
  [[nodiscard]] policy::EventContext context(const hf_task& actor, std::uint64_t time_ns);
  [[nodiscard]] const std::string& name_of(std::uint64_t digest);

  std::FILE* to_;
  EventFormat format_;
  policy::Colour colour_;
  MovePathCache paths_;
  std::string state_dir_;
  std::optional<kernel::Proc> proc_;
  std::string machine_;
  std::string boot_;
  std::uint64_t sequence_ = 0;
  std::uint64_t named_digest_ = 0;  // of the policy whose name policy_name_ is
  std::string policy_name_;
};

}  // namespace holdfast::daemon

#endif  // HOLDFAST_DAEMON_EVENT_WRITER_H
