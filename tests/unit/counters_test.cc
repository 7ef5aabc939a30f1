// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include "core/counters.h"

namespace {

hf_verdict verdict(unsigned action, unsigned mode, unsigned reason) {
  hf_verdict v{};
  v.action = static_cast<__u8>(action);
  v.mode = static_cast<__u8>(mode);
  v.reason = static_cast<__u16>(reason);
  return v;
}

// Every combination of action, mode and reason, also those that no policy gives.
TEST(Counters, EachDecisionHasOneOutcomeAndTheOthersAreParts) {
  std::uint64_t decisions = 0;
  hf_counters c{};
  for (unsigned action = 0; action <= HF_LIMIT + 1; action++)
    for (unsigned mode = 0; mode <= HF_MODE_AUDIT + 1; mode++)
      for (unsigned reason = 0; reason < HF_REASON_COUNT; reason++) {
        const hf_verdict v = verdict(action, mode, reason);
        const hf_counters before = c;
        hf_count_decision(&c, &v);
        decisions++;
        ASSERT_EQ(c.allowed + c.denied + c.audited, decisions);
        ASSERT_LE(c.locked, c.allowed);
        ASSERT_LE(c.errors, c.denied + c.audited);
        ASSERT_LE(c.locked - before.locked, c.allowed - before.allowed);
        ASSERT_LE(c.errors - before.errors, c.denied + c.audited - before.denied - before.audited);
      }
  EXPECT_GT(c.locked, 0u);
  EXPECT_GT(c.errors, 0u);
}

TEST(Counters, ALockIsAlsoAnAllow) {
  hf_counters c{};
  const hf_verdict v = verdict(HF_LOCK, HF_MODE_ENFORCE, HF_REASON_LOCK_ON_ENTRY);
  hf_count_decision(&c, &v);
  EXPECT_EQ(c.allowed, 1u);
  EXPECT_EQ(c.locked, 1u);
  EXPECT_EQ(c.denied, 0u);
}

TEST(Counters, AnErrorIsCountedInTheModeOfItsRefusal) {
  for (const unsigned reason :
       {HF_REASON_FACTS_MISSING, HF_REASON_TARGET_UNKNOWN, HF_REASON_BAD_REQUEST}) {
    hf_counters c{};
    const hf_verdict enforced = verdict(HF_DENY, HF_MODE_ENFORCE, reason);
    const hf_verdict audited = verdict(HF_DENY, HF_MODE_AUDIT, reason);
    hf_count_decision(&c, &enforced);
    hf_count_decision(&c, &audited);
    EXPECT_EQ(c.denied, 1u);
    EXPECT_EQ(c.audited, 1u);
    EXPECT_EQ(c.errors, 2u);
  }
}

TEST(Counters, ALimitThatWasNotSettledIsARefusal) {
  hf_counters c{};
  const hf_verdict v = verdict(HF_LIMIT, HF_MODE_ENFORCE, HF_REASON_RULE);
  hf_count_decision(&c, &v);
  EXPECT_EQ(c.denied, 1u);
}

TEST(Counters, WhatCouldNotBeDecidedIsDeniedAndAnError) {
  hf_counters c{};
  hf_count_undecided(&c);
  EXPECT_EQ(c.denied, 1u);
  EXPECT_EQ(c.errors, 1u);
  EXPECT_EQ(c.allowed + c.audited, 0u);
}

}  // namespace
