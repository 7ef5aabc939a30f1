// SPDX-License-Identifier: Apache-2.0
// Announces a run, so that other processes can list all runs.
//
// A run binds a unix socket to an abstract name that describes it, and never listens on it. Every
// process in the same network namespace can read the name in /proc/net/unix. The kernel removes it
// when holdfast ends for any reason, and the command cannot remove it. Any process can bind such a
// name, so it is only good for display, never for a decision.
#ifndef HOLDFAST_RUN_ANNOUNCEMENT_H
#define HOLDFAST_RUN_ANNOUNCEMENT_H

#include <sys/types.h>

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/fd.h"
#include "base/result.h"

namespace holdfast::run {

struct Announcement {
  pid_t pid;  // of the `holdfast run`, in the pid namespace of that process
  std::string backend;
  std::string enter;    // namespaces.enter of the profile, as the policy spells it
  std::string profile;  // empty: none
};

[[nodiscard]] std::string announcement_text(const Announcement& announcement);
// Empty: the name is not an announcement.
[[nodiscard]] std::optional<Announcement> parse_announcement(std::string_view name);

// The run is announced as long as the returned descriptor is open. Errors: those of bind(2);
// EADDRINUSE another process has bound the name.
[[nodiscard]] Result<Fd> announce(const Announcement& announcement);
// The announced runs of this network namespace, sorted by pid. Errors: those of reading
// /proc/net/unix.
[[nodiscard]] Result<std::vector<Announcement>> announced_runs();

}  // namespace holdfast::run

#endif  // HOLDFAST_RUN_ANNOUNCEMENT_H
