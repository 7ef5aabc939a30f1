// SPDX-License-Identifier: Apache-2.0
// What is kept of events when a task makes many.
#include "events/event_budget.h"

#include <gtest/gtest.h>

namespace holdfast::policy {
namespace {

constexpr std::uint64_t kSecond = 1'000'000'000;
constexpr BudgetLimits kFew = {.per_kind = 8, .per_user = 6, .different = 4};

using Budget = EventBudget<int>;

int written(Budget& budget, const std::string& kind, int count, std::uint32_t user,
            std::uint64_t now_ns, const std::string& request = "same") {
  int written = 0;
  for (int i = 0; i < count; i++)
    written += budget.admits(kind, request, user, 1, i, now_ns) ? 1 : 0;
  return written;
}

TEST(EventBudget, NoiseOfOneRuleLeavesTheOthers) {
  Budget budget(kFew);
  EXPECT_EQ(written(budget, "a", 100000, 1, 0), 6);
  EXPECT_EQ(written(budget, "b", 3, 1, 0), 3);
}

TEST(EventBudget, AndSomeOfTheSameRuleToOtherUsers) {
  Budget budget(kFew);
  EXPECT_EQ(written(budget, "a", 1000, 1, 0), 6);
  EXPECT_EQ(written(budget, "a", 1000, 2, 0), 2);
  EXPECT_EQ(written(budget, "a", 1000, 3, 0), 0);
}

// Else 65,536 users would be as many budgets.
TEST(EventBudget, UsersDoNotMultiplyIt) {
  Budget budget(kFew);
  int all = 0;
  for (std::uint32_t user = 0; user < 65536; user++) all += written(budget, "a", 2, user, 0);
  EXPECT_EQ(all, 8);
}

TEST(EventBudget, WhatWasNotAskedForBeforeIsWritten) {
  Budget budget(kFew);
  EXPECT_EQ(written(budget, "a", 100, 1, 0), 6);
  EXPECT_EQ(written(budget, "a", 100, 1, 0, "another"), 1);
  int all = 0;
  for (int i = 0; i < 1000; i++) all += written(budget, "a", 1, 1, 0, std::to_string(i));
  EXPECT_EQ(all, 2);  // four in all, with "same" and "another"
}

TEST(EventBudget, EachDecisionIsAccountedFor) {
  Budget budget(kFew);
  int wrote = 0;
  for (int i = 0; i < 500; i++) wrote += budget.admits("a", "same", 1, 3, i, 0) ? 1 : 0;
  wrote += budget.admits("b", "same", 1, 3, 0, 0) ? 1 : 0;
  EXPECT_EQ(budget.due_ns(), 60 * kSecond);
  EXPECT_TRUE(budget.take_due(59 * kSecond).empty());
  const auto counted = budget.take_due(60 * kSecond);
  ASSERT_EQ(counted.size(), 1u);
  EXPECT_EQ(counted[0].last, 499);
  EXPECT_EQ(counted[0].records, 494u);
  EXPECT_EQ(wrote * 3 + static_cast<int>(counted[0].decisions), 501 * 3);
  EXPECT_EQ(budget.counted(), counted[0].decisions);
  EXPECT_EQ(budget.due_ns(), holdfast::kNever);
  EXPECT_TRUE(budget.take_all().empty());
}

TEST(EventBudget, TheNextHourHasItsOwn) {
  Budget budget(kFew);
  EXPECT_EQ(written(budget, "a", 100, 1, 0), 6);
  EXPECT_EQ(written(budget, "a", 100, 1, 3599 * kSecond), 0);
  EXPECT_EQ(written(budget, "a", 100, 1, 3600 * kSecond), 6);
  EXPECT_EQ(budget.take_all()[0].records, 100u - 6 + 100 + 100 - 6);
}

TEST(EventBudget, OneThatIsCountedIsItself) {
  hf_event event = {};
  event.repeats = 4;
  EXPECT_EQ(counted_event(event, 1, 5).repeats, 4u);
  EXPECT_EQ(counted_event(event, 2, 5).repeats, 4 | HF_REPEATS_DIFFER);
}

TEST(EventBudget, KindsAreByRuleAndNotByWho) {
  hf_event one = {}, other = {};
  one.verdict.rule = other.verdict.rule = 3;
  other.actor.pid = 17;
  other.target = 99;
  other.request.sock_op = 2;
  EXPECT_EQ(budget_kind(one), budget_kind(other));
  EXPECT_NE(budget_request(one), budget_request(other));
  other.verdict.rule = 4;
  EXPECT_NE(budget_kind(one), budget_kind(other));
}

}  // namespace
}  // namespace holdfast::policy
