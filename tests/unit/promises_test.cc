// SPDX-License-Identifier: Apache-2.0
// The table of promises is complete, and the keys of the language name its kinds.
#include <gtest/gtest.h>

#include <set>

#include "backend/backend.h"
#include "policy/keys.h"
#include "policy/load.h"
#include "run/rule_promise.h"

namespace {

using namespace holdfast;
using backend::Condition;
using backend::Conditions;
using backend::Enforcer;
using backend::Promise;
using backend::RuleKind;
using backend::Strength;

constexpr Enforcer kEnforcers[] = {Enforcer::supervisor, Enforcer::lsm, Enforcer::service};
constexpr Condition kConditions[] = {
#define HF_CONDITION(name) Condition::name,
#include "backend/promises.def"
};

std::vector<RuleKind> all_kinds() {
  std::vector<RuleKind> kinds;
  for (std::size_t i = 0; i < backend::kRuleKindCount; i++)
    kinds.push_back(static_cast<RuleKind>(i));
  return kinds;
}

// Every set of conditions.
std::vector<Conditions> all_conditions() {
  std::vector<Conditions> all;
  for (unsigned bits = 0; bits < 1u << std::size(kConditions); bits++) {
    Conditions holding;
    for (std::size_t i = 0; i < std::size(kConditions); i++)
      if ((bits >> i & 1u) != 0) holding.add(kConditions[i]);
    all.push_back(holding);
  }
  return all;
}

TEST(Promises, EachEnforcerPromisesSomethingForEachKindAndSaysWhatItDoesNot) {
  ASSERT_EQ(std::size(kEnforcers), backend::kEnforcerCount);
  for (const Enforcer enforcer : kEnforcers) {
    for (const Conditions holding : all_conditions()) {
      const auto promises = backend::promises_of(enforcer, holding);
      ASSERT_EQ(promises.size(), backend::kRuleKindCount);
      for (const RuleKind kind : all_kinds()) {
        const Promise& promise = promises[static_cast<std::size_t>(kind)];
        const std::string of(backend::to_string(kind));
        EXPECT_EQ(promise.kind, kind);
        EXPECT_NE(promise.why, "not promised") << of;
        EXPECT_TRUE(promise.strength == Strength::enforced || !promise.why.empty()) << of;
      }
    }
  }
}

TEST(Promises, DependOnWhatTheKernelHas) {
  const auto strength = [](Enforcer enforcer, RuleKind kind, Conditions holding) {
    return backend::promise_of(enforcer, kind, holding).strength;
  };
  const Conditions root = {Condition::no_landlock, Condition::root_without_landlock};
  EXPECT_EQ(strength(Enforcer::supervisor, RuleKind::namespaces_enter, {}), Strength::enforced);
  EXPECT_EQ(strength(Enforcer::supervisor, RuleKind::namespaces_enter, root),
            Strength::best_effort);
  EXPECT_EQ(strength(Enforcer::supervisor, RuleKind::namespaces_visitors, root), Strength::none);
  EXPECT_EQ(strength(Enforcer::supervisor, RuleKind::cgroups_leave, {}), Strength::best_effort);
  EXPECT_EQ(strength(Enforcer::supervisor, RuleKind::cgroups_leave, root), Strength::none);
  EXPECT_EQ(strength(Enforcer::lsm, RuleKind::bpf_delegate, {}), Strength::enforced);
  EXPECT_EQ(strength(Enforcer::lsm, RuleKind::bpf_delegate, {Condition::no_bpf_tokens}),
            Strength::none);
}

TEST(Promises, SayWhereTheKernelsOwnHooksDecide) {
  const auto why = [](RuleKind kind, Conditions holding) {
    return backend::promise_of(Enforcer::service, kind, holding).why;
  };
  for (const RuleKind kind :
       {RuleKind::namespaces_create, RuleKind::namespaces_enter, RuleKind::namespaces_visitors}) {
    EXPECT_TRUE(why(kind, {Condition::native_hooks}).contains("own hooks"));
    EXPECT_EQ(why(kind, {}), "");
  }
}

TEST(Promises, KindsHaveDifferentNames) {
  std::set<std::string_view> names;
  for (const RuleKind kind : all_kinds()) {
    EXPECT_TRUE(names.insert(backend::to_string(kind)).second) << backend::to_string(kind);
    EXPECT_EQ(backend::kind_named(backend::to_string(kind)), kind);
  }
  EXPECT_FALSE(backend::kind_named("namespaces"));
}

TEST(Promises, EveryKeyIsOfAKindThatIsPromised) {
  for (const policy::Key& key : policy::kKeys)
    EXPECT_TRUE(key.kind.empty() || backend::kind_named(key.kind)) << key.name;
}

TEST(Promises, OfOneRuleCanBeWeakerThanOfItsKind) {
  const auto loaded = policy::load({{"p.toml",
                                     "version = 1\n[[profile.a.socket]]\non = [\"accept\"]\n"
                                     "verdict = \"deny\"\n"
                                     "[[profile.b.socket]]\non = [\"accept\"]\n"
                                     "family = [\"unix\"]\npeer = { \"user.a\" = \"b\" }\n"
                                     "verdict = \"deny\"\n"}});
  ASSERT_TRUE(loaded.policy);
  std::vector<bool> limited;
  for (const policy::StatedRule& rule : policy::stated_rules(*loaded.policy))
    if (rule.kind == "socket")
      limited.push_back(
          run::promise_for(*loaded.policy, rule, Enforcer::service, {}).why.contains("dead"));
  EXPECT_EQ(limited, (std::vector{false, true}));
}

TEST(Promises, OfABackendAreThoseOfItsConditions) {
  for (const auto& backend : {backend::make_lsm_backend(), backend::make_supervisor_backend()}) {
    const Conditions here = backend->conditions();
    const auto promises = backend->promises();
    ASSERT_EQ(promises.size(), backend::kRuleKindCount);
    for (const Promise& promise : promises) {
      const Promise again = backend::promise_of(backend->enforcer(), promise.kind, here);
      EXPECT_EQ(promise.strength, again.strength);
      EXPECT_EQ(promise.why, again.why);
    }
  }
}

}  // namespace
