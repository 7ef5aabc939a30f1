// SPDX-License-Identifier: Apache-2.0
// The promise for one rule of a policy. It can be weaker than the promise for its kind.
#ifndef HOLDFAST_RUN_RULE_PROMISE_H
#define HOLDFAST_RUN_RULE_PROMISE_H

#include "backend/promises.h"
#include "policy/compiled.h"
#include "policy/stated.h"

namespace holdfast::run {

// `holding`: the conditions of the kernel and the user, from Backend::conditions(). The promises of
// holdfastd depend on none of those.
[[nodiscard]] backend::Promise promise_for(const policy::Compiled& policy,
                                           const policy::StatedRule& rule,
                                           backend::Enforcer enforcer, backend::Conditions holding);

}  // namespace holdfast::run

#endif  // HOLDFAST_RUN_RULE_PROMISE_H
