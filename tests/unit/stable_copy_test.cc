// SPDX-License-Identifier: Apache-2.0
#include "label/stable_copy.h"

#include <gtest/gtest.h>
#include <cstring>

#include <algorithm>
#include <cerrno>
#include <string>
#include <vector>

#include "core/machine_sockets.h"
#include "core/map_room.h"

namespace holdfast {
namespace {

using Found = std::vector<int>;

// A source that changes this many times, once after each read.
struct ChangingSource {
  explicit ChangingSource(unsigned times) : changes(times) {}
  unsigned changes;
  unsigned reads = 0;
  std::vector<Found> written;

  Result<label::Stability> copy() {
    return label::copy_until_stable(
        [this] { return Found{static_cast<int>(std::min(reads++, changes))}; },
        [this](const Found& found) -> Result<void> {
          written.push_back(found);
          return {};
        });
  }
};

TEST(StableCopy, AStableSourceIsWrittenOnce) {
  ChangingSource still(0);
  EXPECT_EQ(*still.copy(), label::Stability::stable);
  EXPECT_EQ(still.written, std::vector<Found>{{0}});
}

TEST(StableCopy, TheLastWriteIsWhatTheLastReadFound) {
  ChangingSource twice(2);
  EXPECT_EQ(*twice.copy(), label::Stability::stable);
  EXPECT_EQ(twice.written.back(), Found{2});
}

TEST(StableCopy, AChangingSourceIsGivenUp) {
  ChangingSource never(~0u);
  EXPECT_EQ(*never.copy(), label::Stability::changing);
  EXPECT_EQ(never.written.size(), label::kMaxCopyRounds);
}

TEST(StableCopy, AnEmptySourceIsNotWritten) {
  bool written = false;
  const auto stability = label::copy_until_stable([] { return Found(); },
                                                  [&](const Found&) -> Result<void> {
                                                    written = true;
                                                    return {};
                                                  });
  EXPECT_EQ(*stability, label::Stability::stable);
  EXPECT_FALSE(written);
}

TEST(StableCopy, AWriteErrorEndsIt) {
  const auto stability = label::copy_until_stable([] { return Found{1}; },
                                                  [](const Found&) -> Result<void> {
                                                    return Error{ENOMEM, "write", {}, {}};
                                                  });
  ASSERT_FALSE(stability);
  EXPECT_EQ(stability.error().code, ENOMEM);
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
  hf_known_profile first = {}, second = {};
  first.bound = 1001;
  first.chain[0] = 3;
  first.chain[5] = 4;
  first.epoch = second.epoch = 5;
  first.seal = hf_known_seal(&web, &first);
  second.seal = hf_known_seal(&stranger, &second);
  constexpr unsigned kWords = sizeof(hf_known_profile) / sizeof(std::uint64_t);
  for (unsigned words = 1; words + 1 < 1u << kWords; words++) {
    hf_known_profile mixed = first;
    for (unsigned i = 0; i < kWords; i++)
      if ((words >> i & 1) != 0)
        std::memcpy(reinterpret_cast<std::byte*>(&mixed) + i * sizeof(std::uint64_t),
                    reinterpret_cast<const std::byte*>(&second) + i * sizeof(std::uint64_t),
                    sizeof(std::uint64_t));
    if (std::memcmp(&mixed, &first, sizeof(mixed)) == 0) continue;
    EXPECT_NE(mixed.seal, hf_known_seal(&web, &mixed)) << words;
  }
  EXPECT_EQ(first.seal, hf_known_seal(&web, &first));
  const hf_known_key next = {8, 1001};
  EXPECT_NE(first.seal, hf_known_seal(&next, &first));
}

}  // namespace
}  // namespace holdfast
