// SPDX-License-Identifier: Apache-2.0
// A run that holdfastd holds: a session of io.holdfast.Control. The rules hold without this process
// from then on; it forks the command, and shows what the daemon sends.
#ifndef HOLDFAST_RUN_RESIDENT_SESSION_H
#define HOLDFAST_RUN_RESIDENT_SESSION_H

#include <memory>
#include <string>
#include <vector>

#include "backend/backend.h"
#include "base/result.h"
#include "policy/compiled.h"
#include "policy/load.h"

namespace holdfast::run {

// The policy of a run, as text for the daemon and compiled for its events.
struct RunPolicy {
  std::vector<policy::Source> sources;
  std::string profile;  // "": none
  std::string mode;     // "enforce" or "audit" for all profiles; "": as in the policy
  const policy::Compiled* compiled = nullptr;  // borrowed
};

// Has the daemon at `socket` compile the policy and attach what it needs. `spec` is as in
// Backend::open(). Errors: of connect(2); ENOTSUP the daemon cannot hold this policy in a session,
// with what it cannot hold in the detail; code 0 it refused otherwise, with its message in the
// detail.
[[nodiscard]] Result<std::unique_ptr<backend::Session>> open_resident(
    const std::string& socket, const RunPolicy& policy, const backend::SessionSpec& spec);

}  // namespace holdfast::run

#endif  // HOLDFAST_RUN_RESIDENT_SESSION_H
