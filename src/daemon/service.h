// SPDX-License-Identifier: Apache-2.0
// holdfastd as it runs: one policy in force, until a signal says otherwise.
#ifndef HOLDFAST_DAEMON_SERVICE_H
#define HOLDFAST_DAEMON_SERVICE_H

#include <memory>
#include <string>

#include "daemon/event_writer.h"
#include "daemon/policy_dir.h"

namespace holdfast::daemon {

inline constexpr int kExitOk = 0;
inline constexpr int kExitFailed = 1;
inline constexpr int kExitUsage = 2;        // bad usage or bad policy
inline constexpr int kExitImpossible = 77;  // not possible on this machine

// What to do about rules that cannot be held for the whole machine.
enum class Unheld { refuse, allow };

struct Options {
  PolicyDirs dirs;
  EventFormat format = EventFormat::pretty;
  Unheld unheld = Unheld::refuse;
  std::string cgroup_root = "/sys/fs/cgroup";
};

// Validates the policy and says what would not be held. An exit code.
[[nodiscard]] int check(const Options& options);

// Attaches, then serves until SIGTERM or SIGINT; SIGHUP loads the policy anew. Enforcement ends
// with it. An exit code.
[[nodiscard]] int serve(const Options& options);

}  // namespace holdfast::daemon

#endif  // HOLDFAST_DAEMON_SERVICE_H
