// SPDX-License-Identifier: Apache-2.0
// Which runs there are, for whoever asks.
//
// A run binds a socket to an abstract name that says what it is, and never listens. So everybody of
// its network namespace can read it in /proc/net/unix, it goes when holdfast does, however that
// ends, and nothing in the tree can take it away. It is what a process says of itself: to show, not
// to decide by.
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
  pid_t pid;  // of the `holdfast run`, in the reader's pid namespace only if that is also its own
  std::string backend;
  std::string enter;    // namespaces.enter of the profile, as policy says it
  std::string profile;  // empty: none
};

[[nodiscard]] std::string announcement_text(const Announcement& announcement);
// Nothing: some other socket's name.
[[nodiscard]] std::optional<Announcement> parse_announcement(std::string_view name);

// Announced as long as this is open. Errors: those of bind(2); EADDRINUSE: somebody else has taken
// the name.
[[nodiscard]] Result<Fd> announce(const Announcement& announcement);
// Those of the reader's network namespace, by pid. Errors: those of reading /proc/net/unix.
[[nodiscard]] Result<std::vector<Announcement>> announced_runs();

}  // namespace holdfast::run

#endif  // HOLDFAST_RUN_ANNOUNCEMENT_H
