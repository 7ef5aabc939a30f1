// SPDX-License-Identifier: Apache-2.0
// The policy that is in force on this machine, with a running holdfastd or without.
#ifndef HOLDFAST_CLI_LIVE_POLICY_H
#define HOLDFAST_CLI_LIVE_POLICY_H

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "policy/policy_text.h"
#include "policy_dirs/policy_dirs.h"

namespace holdfast::cli {

struct FileFault {
  std::string path;
  std::string fate;      // "not-live", "earlier-text", "left-out" (policy_dirs/usable.h)
  std::string mistakes;  // rendered diagnostics
};

struct LivePolicy {
  bool by_daemon = false;  // false: what a holdfastd that has ended left in force
  std::uint64_t generation = 0;
  policy::PolicyText text;
  // With by_daemon:
  std::vector<FileFault> faults;
  std::vector<std::string> directories;  // that holdfastd reads
};

// Asks holdfastd at `socket`. If it does not answer, reads its last generation, if its programs are
// still attached. Empty: nothing is in force, or the caller may not know; `why` is then a sentence
// about that.
[[nodiscard]] std::optional<LivePolicy> live_policy(const std::string& socket, std::string& why);

// The directories of a command: those that were named, else those that holdfastd reads if it says
// so, else the usual ones.
[[nodiscard]] policy_dirs::PolicyDirs directories_for(const std::vector<std::string>& named,
                                                      const std::optional<LivePolicy>& live);

}  // namespace holdfast::cli

#endif  // HOLDFAST_CLI_LIVE_POLICY_H
