// SPDX-License-Identifier: Apache-2.0
#include "cli/strength.h"

#include <fmt/core.h>

#include <cerrno>

#include "backend/backend.h"
#include "run/rule_promise.h"

namespace holdfast::cli {

using backend::Enforcer;
using backend::Promise;
using backend::RuleKind;
using backend::Strength;
using policy::StatedRule;

Promise Column::promise(const policy::Compiled& policy, const StatedRule& rule) const {
  Promise promise = run::promise_for(policy, rule, enforcer, conditions);
  if (!unavailable.empty()) {
    promise.strength = Strength::none;
    promise.why = fmt::format("{} cannot be used here: {}", title, unavailable);
  }
  return promise;
}

std::vector<Column> columns_here() {
  const auto supervisor = backend::make_supervisor_backend();
  const auto lsm = backend::make_lsm_backend();
  const auto why = [](const Result<void>& available) {
    return available ? std::string() : available.error().message();
  };
  const auto here = lsm->available();
  // holdfastd needs the same of the kernel, but runs as root, also if an ordinary user asks here.
  const bool service = here || here.error().code == EPERM;
  return {
      {"supervisor", Enforcer::supervisor, supervisor->conditions(), why(supervisor->available())},
      {"lsm run", Enforcer::lsm, lsm->conditions(), why(here)},
      {"service", Enforcer::service, lsm->conditions(), service ? "" : why(here)},
  };
}

std::optional<Promise> weakest(const Column& column, const policy::Compiled& policy,
                               const std::vector<StatedRule>& rules, RuleKind kind) {
  std::optional<Promise> weakest;
  for (const StatedRule& rule : rules) {
    if (rule.kind != backend::to_string(kind)) continue;
    Promise promise = column.promise(policy, rule);
    if (!weakest || promise.strength < weakest->strength) weakest = std::move(promise);
  }
  return weakest;
}

}  // namespace holdfast::cli
