// SPDX-License-Identifier: Apache-2.0
#include "backend/promises.h"

#include <algorithm>
#include <array>
#include <iterator>

namespace holdfast::backend {
namespace {

constexpr std::string_view kKinds[] = {
#define HF_KIND(name, word) word,
#include "backend/promises.def"
};

struct Row {
  RuleKind kind;
  Enforcer enforcer;
  Condition condition;
  Strength strength;
  std::string_view why;
};

constexpr Row kRows[] = {
#define HF_PROMISE(kind, enforcer, condition, strength, why) \
  {RuleKind::kind, Enforcer::enforcer, Condition::condition, Strength::strength, why},
#include "backend/promises.def"
};

// Each kind has, for each enforcer, a row for every case, and says what is not promised.
consteval bool is_complete() {
  std::array<std::array<bool, kEnforcerCount>, kRuleKindCount> closed = {};
  for (const Row& row : kRows) {
    if (row.strength != Strength::enforced && row.why.empty()) return false;
    bool& done = closed[static_cast<std::size_t>(row.kind)][static_cast<std::size_t>(row.enforcer)];
    if (done) return false;  // the row can never be the promise
    done = row.condition == Condition::always;
  }
  return std::ranges::all_of(
      closed, [](const auto& kind) { return std::ranges::all_of(kind, std::identity()); });
}
static_assert(is_complete(), "promises.def: a promise is missing, has no reason or cannot apply");

}  // namespace

Promise promise_of(Enforcer enforcer, RuleKind kind, Conditions holding) {
  const auto* const row = std::ranges::find_if(kRows, [&](const Row& candidate) {
    return candidate.kind == kind && candidate.enforcer == enforcer &&
           holding.hold(candidate.condition);
  });
  if (row == std::end(kRows)) return {kind, Strength::none, "not promised"};
  return {kind, row->strength, std::string(row->why)};
}

std::vector<Promise> promises_of(Enforcer enforcer, Conditions holding) {
  std::vector<Promise> promises;
  for (std::size_t i = 0; i < kRuleKindCount; i++)
    promises.push_back(promise_of(enforcer, static_cast<RuleKind>(i), holding));
  return promises;
}

std::string_view to_string(Strength strength) {
  switch (strength) {
    case Strength::none:
      return "none";
    case Strength::best_effort:
      return "best-effort";
    case Strength::enforced:
      return "enforced";
  }
  return "none";
}

std::string_view to_string(RuleKind kind) { return kKinds[static_cast<std::size_t>(kind)]; }

std::string_view to_string(Enforcer enforcer) {
  static constexpr std::array<std::string_view, kEnforcerCount> kNames = {"supervisor", "lsm",
                                                                          "service"};
  return kNames[static_cast<std::size_t>(enforcer)];
}

std::optional<RuleKind> kind_named(std::string_view name) {
  const auto* const at = std::ranges::find(kKinds, name);
  if (at == std::end(kKinds)) return std::nullopt;
  return static_cast<RuleKind>(at - std::begin(kKinds));
}

}  // namespace holdfast::backend
