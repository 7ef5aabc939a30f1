// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include "policy/load.h"
#include "run/summary.h"

namespace {

using namespace holdfast;
using backend::RuleKind;
using backend::Strength;

std::unique_ptr<const policy::Compiled> load(const std::string& text) {
  auto loaded = policy::load({{"p.toml", text}});
  EXPECT_TRUE(loaded.policy) << (loaded.diagnostics.empty() ? "" : loaded.diagnostics[0].message);
  return std::move(loaded.policy);
}

TEST(RunSummary, NamesTheStatedRulesAndNoOthers) {
  const auto policy =
      load("version = 1\n[profile.a]\nnamespaces.enter = \"none\"\ncgroups.leave = []\n");
  EXPECT_EQ(run::stated_rules(*policy, 1),
            (std::vector{RuleKind::namespaces_enter, RuleKind::trace, RuleKind::cgroups_leave}));
}

TEST(RunSummary, AnUnrestrictedProfileStatesNothing) {
  const auto policy = load("version = 1\n");
  EXPECT_TRUE(run::stated_rules(*policy, 0).empty());
}

TEST(RunSummary, SaysWhatHappenedWhereAndHowFarToTrustIt) {
  const auto policy =
      load("version = 1\n[profile.a]\nnamespaces.create = []\ncgroups.leave = []\n");
  const std::uint32_t rule = policy->tables->profiles[1].rules[HF_RULE_NS_CREATE];
  backend::Totals totals;
  totals.allowed = 3;
  totals.locked = 1;
  totals.denied = 2;
  totals.guarded = 1;
  const std::map<std::uint32_t, run::RuleHits> hits = {{rule, {.refused = 2}}};
  const std::string text =
      run::render(run::Summary{*policy,
                               1,
                               "supervisor",
                               "lsm: not root",
                               totals,
                               hits,
                               {{RuleKind::namespaces_create, Strength::enforced, ""},
                                {RuleKind::trace, Strength::best_effort, "among friends"}}},
                  policy::Colour::off);
  EXPECT_NE(text.find("supervisor: 5 decisions: 2 allowed, 2 refused, 1 locked on entry"),
            std::string::npos)
      << text;
  // What the guard refuses is no decision of the policy's.
  EXPECT_NE(text.find("guard: 1 attempt refused, whatever the policy says\n"), std::string::npos)
      << text;
  EXPECT_NE(text.find("(not lsm: not root)"), std::string::npos) << text;
  EXPECT_NE(text.find("p.toml:3:"), std::string::npos) << text;
  EXPECT_NE(text.find("best-effort: among friends"), std::string::npos) << text;
  // A kind that the backend says nothing about is not silently fine.
  EXPECT_NE(text.find("none: not promised"), std::string::npos) << text;
  EXPECT_EQ(text.find('\x1b'), std::string::npos);
}

}  // namespace
