// SPDX-License-Identifier: Apache-2.0 Writes decisions, and refused attacks on the enforcement
// itself: each as one line of text or JSON, or as one entry of the journal.
#ifndef HOLDFAST_DAEMON_EVENT_WRITER_H
#define HOLDFAST_DAEMON_EVENT_WRITER_H

#include <cstdio>
#include <string>
#include <unordered_map>

#include "base/fd.h"
#include "base/result.h"
#include "core/guard.h"
#include "events/event_text.h"
#include "policy/compiled.h"

namespace holdfast::daemon {

enum class EventFormat { pretty, json, journal };

// One thread.
class EventWriter {
 public:
  // `to` is borrowed. `cgroup_root` is the root directory of the unified hierarchy, for the paths
  // of cgroups; invalid: events have no paths.
  EventWriter(std::FILE* to, EventFormat format, policy::Colour colour, Fd cgroup_root);

  // `policy` is the one that decided. Errors: those of sending to the journal; the line is then
  // written to the stream.
  Result<void> write(const hf_event& event, const policy::Compiled& policy);
  Result<void> write(const hf_guard_event& refusal);

  // The event as one JSON object, with the paths of its cgroups.
  [[nodiscard]] std::string json(const hf_event& event, const policy::Compiled& policy) const;

 private:
  void print(const std::string& line);
  [[nodiscard]] policy::EventPaths paths_of(const hf_event& event) const;
  [[nodiscard]] std::string path_of(std::uint64_t cgroup) const;

  std::FILE* to_;
  EventFormat format_;
  policy::Colour colour_;
  Fd cgroup_root_;
  // By id. A cgroup is never renamed and ids are not reused, so the paths stay valid.
  mutable std::unordered_map<std::uint64_t, std::string> paths_;
};

}  // namespace holdfast::daemon

#endif  // HOLDFAST_DAEMON_EVENT_WRITER_H
