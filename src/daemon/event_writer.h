// SPDX-License-Identifier: Apache-2.0
// Writes each decision, and each refused attempt on the enforcement itself, as one line, JSON or
// text for a reader, or as an entry of the journal.
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

// Not thread safe.
class EventWriter {
 public:
  // `to` is borrowed. `cgroup_root` is where paths of cgroups are looked up; empty: they are not.
  EventWriter(std::FILE* to, EventFormat format, policy::Colour colour, Fd cgroup_root);

  // `policy` is the one that decided. Errors: what sending to the journal gave; then the line is on
  // the stream.
  Result<void> write(const hf_event& event, const policy::Compiled& policy);
  Result<void> write(const hf_guard_event& refusal);

  // One JSON object, with the paths of cgroups.
  [[nodiscard]] std::string json(const hf_event& event, const policy::Compiled& policy) const;

 private:
  void print(const std::string& line);
  [[nodiscard]] policy::EventPaths paths_of(const hf_event& event) const;
  [[nodiscard]] std::string path_of(std::uint64_t cgroup) const;

  std::FILE* to_;
  EventFormat format_;
  policy::Colour colour_;
  Fd cgroup_root_;
  // A cgroup is never renamed and its id never given again, so what was its path is.
  mutable std::unordered_map<std::uint64_t, std::string> paths_;
};

}  // namespace holdfast::daemon

#endif  // HOLDFAST_DAEMON_EVENT_WRITER_H
