// SPDX-License-Identifier: Apache-2.0
// Writes each decision as one line: JSON, or text for a reader.
#ifndef HOLDFAST_DAEMON_EVENT_WRITER_H
#define HOLDFAST_DAEMON_EVENT_WRITER_H

#include <cstdio>
#include <memory>
#include <string>

#include "base/fd.h"
#include "policy/compiled.h"
#include "policy/event_text.h"

namespace holdfast::daemon {

enum class EventFormat { pretty, json };

// Not thread safe.
class EventWriter {
 public:
  // `to` is borrowed. `cgroup_root` is where paths of cgroups are looked up; empty: they are not.
  EventWriter(std::FILE* to, EventFormat format, policy::Colour colour, Fd cgroup_root);

  // The policy that the next events were decided by, of this generation. The one before stays known
  // for events that were still on their way.
  void use(std::shared_ptr<const policy::Compiled> policy, std::uint64_t generation);

  void write(const hf_event& event);

 private:
  [[nodiscard]] std::string line(const hf_event& event, const policy::Compiled& policy) const;
  [[nodiscard]] std::string path_of(std::uint64_t cgroup) const;

  struct Known {
    std::shared_ptr<const policy::Compiled> policy;
    std::uint64_t generation = 0;
  };

  std::FILE* to_;
  EventFormat format_;
  policy::Colour colour_;
  Fd cgroup_root_;
  Known live_;
  Known before_;
};

}  // namespace holdfast::daemon

#endif  // HOLDFAST_DAEMON_EVENT_WRITER_H
