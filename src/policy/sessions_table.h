// SPDX-License-Identifier: Apache-2.0
// The table [sessions]: which ordinary users may open sessions, and how much they may have.
#ifndef HOLDFAST_POLICY_SESSIONS_TABLE_H
#define HOLDFAST_POLICY_SESSIONS_TABLE_H

#include <string_view>
#include <vector>

#include "policy/compiled.h"
#include "policy/model.h"
#include "policy/reader.h"

namespace holdfast::policy {

// A quota of one user: a key of the table, with its largest value. The smallest is 1, and the default
// that of SessionRules.
struct SessionQuota {
  std::string_view name;
  std::uint32_t SessionRules::*value;
  Setting<std::uint64_t> SessionsModel::*setting;
  std::uint32_t most;
};
inline constexpr SessionQuota kSessionQuotas[] = {
    {"sessions", &SessionRules::sessions, &SessionsModel::sessions, 256},
    {"members", &SessionRules::members, &SessionsModel::members, 16384},
    {"namespaces", &SessionRules::namespaces, &SessionsModel::namespaces, 4096},
    {"policies", &SessionRules::policies, &SessionsModel::policies, 64},
    {"rules", &SessionRules::rules, &SessionsModel::rules, 4096},
};

// Absence and mistakes as for the functions of Reader. `root` is the whole document.
[[nodiscard]] SessionsModel read_sessions(const Value& root, Reader& in);
// What `with` states replaces what `model` states.
void override_sessions(SessionsModel& model, SessionsModel with);
// Adds what `more`, of another file, states, and a diagnostic for what both state.
void add_sessions(SessionsModel& model, SessionsModel more, std::vector<Diagnostic>& diagnostics);
[[nodiscard]] SessionRules session_rules(const SessionsModel& model);

}  // namespace holdfast::policy

#endif  // HOLDFAST_POLICY_SESSIONS_TABLE_H
