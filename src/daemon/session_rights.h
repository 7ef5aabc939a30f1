// SPDX-License-Identifier: Apache-2.0
// What an ordinary user may do with sessions: [sessions] of the machine's policy says who may open
// them and how many. Their policies only restrict.
#ifndef HOLDFAST_DAEMON_SESSION_RIGHTS_H
#define HOLDFAST_DAEMON_SESSION_RIGHTS_H

#include <cstdint>
#include <string>

#include "backend/machine.h"
#include "base/result.h"
#include "policy/compiled.h"
#include "rpc/server.h"

namespace holdfast::daemon {

// The limits of the caller, who is not root. Names are looked up in /etc/passwd and /etc/group.
// Errors: EPERM the rules do not name the caller; ESRCH the caller has ended, or cannot be seen;
// ENOTSUP the caller is in a user namespace of its own, where one user has many ids.
[[nodiscard]] Result<backend::UserLimits> limits_of_caller(const policy::SessionRules& rules,
                                                           const rpc::Call& call);

// Can an ordinary user have a session by this policy? Errors: EPERM it has a key that gives, or that
// decides about others, with the key's place in the detail; EDQUOT it has too many rules.
[[nodiscard]] Result<void> check_user_policy(const policy::Compiled& policy,
                                             const backend::UserLimits& limits);

}  // namespace holdfast::daemon

#endif  // HOLDFAST_DAEMON_SESSION_RIGHTS_H
