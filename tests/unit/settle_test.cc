// SPDX-License-Identifier: Apache-2.0
#include "label/settle.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cerrno>
#include <string>
#include <vector>

#include "core/machine_sockets.h"
#include "core/map_room.h"

namespace holdfast {
namespace {

using Found = std::vector<int>;

// What is looked at changes this many times, once after each look.
struct Restless {
  explicit Restless(unsigned times) : changes(times) {}
  unsigned changes;
  unsigned looks = 0;
  std::vector<Found> written;

  Result<label::Settled> copy() {
    return label::settle([this] { return Found{static_cast<int>(std::min(looks++, changes))}; },
                         [this](const Found& found) -> Result<void> {
                           written.push_back(found);
                           return {};
                         });
  }
};

TEST(Settle, WhatKeepsStillIsWrittenOnce) {
  Restless still(0);
  EXPECT_EQ(*still.copy(), label::Settled::yes);
  EXPECT_EQ(still.written, std::vector<Found>{{0}});
}

TEST(Settle, TheLastWritingIsWhatTheLastLookFound) {
  Restless twice(2);
  EXPECT_EQ(*twice.copy(), label::Settled::yes);
  EXPECT_EQ(twice.written.back(), Found{2});
}

TEST(Settle, WhoNeverKeepsStillIsNotWaitedFor) {
  Restless never(~0u);
  EXPECT_EQ(*never.copy(), label::Settled::no);
  EXPECT_EQ(never.written.size(), label::kMaxLooks);
}

TEST(Settle, NothingIsNotWritten) {
  bool written = false;
  const auto settled = label::settle([] { return Found(); },
                                     [&](const Found&) -> Result<void> {
                                       written = true;
                                       return {};
                                     });
  EXPECT_EQ(*settled, label::Settled::yes);
  EXPECT_FALSE(written);
}

TEST(Settle, AnErrorOfWritingEndsIt) {
  const auto settled = label::settle([] { return Found{1}; },
                                     [](const Found&) -> Result<void> {
                                       return Error{ENOMEM, "write", {}, {}};
                                     });
  ASSERT_FALSE(settled);
  EXPECT_EQ(settled.error().code, ENOMEM);
}

TEST(MapRoom, ForEachTaskThatTheKernelMakes) {
  EXPECT_EQ(hf_task_room(100), HF_TASK_ROOM_LEAST);
  EXPECT_EQ(hf_task_room(6000), 6000u);
  EXPECT_EQ(hf_task_room(1ull << 40), HF_TASK_ROOM_MOST);
}

// What a program reads of an entry that becomes another key's meanwhile: some words of the one,
// some of the other. None passes for an entry of the key that was asked about.
TEST(KnownProfile, AMixtureOfTwoEntriesHasTheSealOfNeither) {
  const hf_known_key web = {7, 1001}, stranger = {7, 1002};
  hf_known_profile first = {1001, 3, 5, 0}, second = {0, 0, 5, 0};
  first.seal = hf_known_seal(&web, &first);
  second.seal = hf_known_seal(&stranger, &second);
  for (unsigned words = 1; words < 8; words++) {
    const hf_known_profile mixed = {words & 1 ? second.bound : first.bound,
                                    words & 2 ? second.profile : first.profile, 5,
                                    words & 4 ? second.seal : first.seal};
    EXPECT_NE(mixed.seal, hf_known_seal(&web, &mixed)) << words;
  }
  EXPECT_EQ(first.seal, hf_known_seal(&web, &first));
  const hf_known_key next = {8, 1001};
  EXPECT_NE(first.seal, hf_known_seal(&next, &first));
}

}  // namespace
}  // namespace holdfast
