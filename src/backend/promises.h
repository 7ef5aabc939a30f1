// SPDX-License-Identifier: Apache-2.0
// What each enforcer promises for each kind of rule, from the table backend/promises.def.
#ifndef HOLDFAST_BACKEND_PROMISES_H
#define HOLDFAST_BACKEND_PROMISES_H

#include <cstddef>
#include <initializer_list>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace holdfast::backend {

// How strongly an enforcer enforces a rule, weakest first. none: not at all. best_effort: with a
// documented gap. enforced: without a known gap.
enum class Strength { none, best_effort, enforced };

// The kinds of rules of a policy, as strength reports list them.
enum class RuleKind {
#define HF_KIND(name, word) name,
#include "backend/promises.def"
};
inline constexpr std::size_t kRuleKindCount = 0
#define HF_KIND(name, word) +1
#include "backend/promises.def"
    ;

// Who enforces a policy. supervisor, lsm: `holdfast run` with that backend. service: holdfastd.
enum class Enforcer { supervisor, lsm, service };
inline constexpr std::size_t kEnforcerCount = 3;

// What a strength can depend on. The table explains each.
enum class Condition {
  always,
#define HF_CONDITION(name) name,
#include "backend/promises.def"
};

// The conditions that hold.
class Conditions {
 public:
  // `always` holds without being named.
  Conditions(std::initializer_list<Condition> holding = {}) {
    for (const Condition condition : holding) add(condition);
  }
  void add(Condition condition) { bits_ |= bit(condition); }
  [[nodiscard]] bool hold(Condition condition) const { return (bits_ & bit(condition)) != 0; }
  friend Conditions operator|(Conditions a, Conditions b) {
    a.bits_ |= b.bits_;
    return a;
  }

 private:
  static constexpr unsigned bit(Condition condition) {
    return 1u << static_cast<unsigned>(condition);
  }
  unsigned bits_ = bit(Condition::always);
};

struct Promise {
  RuleKind kind;
  Strength strength;
  std::string why;  // the limits, for a user; empty: enforced without limits
};

// What the enforcer promises for this kind of rule under these conditions. Without an entry in the
// table it is Strength::none.
[[nodiscard]] Promise promise_of(Enforcer enforcer, RuleKind kind, Conditions holding);
// The same for each RuleKind: one entry for each, in their order.
[[nodiscard]] std::vector<Promise> promises_of(Enforcer enforcer, Conditions holding);

// "none", "best-effort", "enforced".
[[nodiscard]] std::string_view to_string(Strength strength);
// "namespaces.enter", "trace", "socket".
[[nodiscard]] std::string_view to_string(RuleKind kind);
// "supervisor", "lsm", "service".
[[nodiscard]] std::string_view to_string(Enforcer enforcer);
// Empty: no kind has this name.
[[nodiscard]] std::optional<RuleKind> kind_named(std::string_view name);

}  // namespace holdfast::backend

#endif  // HOLDFAST_BACKEND_PROMISES_H
