// SPDX-License-Identifier: Apache-2.0
// Finds socket rules that can never match, and checks limits of socket rules.
#ifndef HOLDFAST_POLICY_SOCKET_CHECK_H
#define HOLDFAST_POLICY_SOCKET_CHECK_H

#include <vector>

#include "policy/load.h"
#include "policy/model.h"

namespace holdfast::policy {

// Adds a diagnostic for each error.
void check_sockets(const Model& model, std::vector<Diagnostic>& diagnostics);

// Does `general` match everything that `special` matches?
[[nodiscard]] bool covers(const SocketRule& general, const SocketRule& special);

}  // namespace holdfast::policy

#endif  // HOLDFAST_POLICY_SOCKET_CHECK_H
