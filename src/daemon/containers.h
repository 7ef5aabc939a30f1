// SPDX-License-Identifier: Apache-2.0
// Containers that ask for a profile of the machine's policy: each is a session with the policy as it
// was then, whose first member is the container's first process.
#ifndef HOLDFAST_DAEMON_CONTAINERS_H
#define HOLDFAST_DAEMON_CONTAINERS_H

#include <functional>
#include <optional>
#include <string_view>

#include "daemon/enforcement.h"
#include "rpc/server.h"

namespace holdfast::daemon {

// Answers OpenContainer of io.holdfast.Control. One thread.
class Containers {
 public:
  // Borrows `enforcement`. `opened` is called after each new session.
  Containers(Enforcement& enforcement, std::function<void()> opened)
      : enforcement_(enforcement), opened_(std::move(opened)) {}

  // Empty: the method is not about containers. Every user may call it.
  [[nodiscard]] std::optional<rpc::Answer> answer(std::string_view method, const rpc::Call& call);

  // Reports an event of a session if that is a container's.
  void deliver(const hf_event& event);

 private:
  [[nodiscard]] Result<std::uint64_t> open(const rpc::Call& call, std::string_view name, pid_t pid);
  [[nodiscard]] Result<std::uint16_t> profile_for(const rpc::Call& call, std::string_view name);
  [[nodiscard]] bool has_room_for(std::uint32_t uid) const;

  Enforcement& enforcement_;
  std::function<void()> opened_;
};

}  // namespace holdfast::daemon

#endif  // HOLDFAST_DAEMON_CONTAINERS_H
