// SPDX-License-Identifier: Apache-2.0
#include "label/stable_copy.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <set>
#include <string>
#include <vector>

#include "core/machine_labels.h"
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

// The same for what is remembered with labels: two programs may write it at the same time.
TEST(AllowedBefore, AMixtureOfTwoEntriesHasTheSealOfNeither) {
  hf_allowed first = {}, second = {};
  first.question = 0x1234567890abcdef;
  first.counters = 3;
  second.question = 0xfedcba0987654321;
  second.counters = 4;
  for (hf_allowed* one : {&first, &second}) one->seal = hf_allowed_seal(one);
  EXPECT_EQ(first.seal, hf_allowed_seal(&first));
  for (unsigned words = 1; words < 7; words++) {
    hf_allowed mixed = first;
    if ((words & 1) != 0) mixed.question = second.question;
    if ((words & 2) != 0) mixed.counters = second.counters;
    if ((words & 4) != 0) mixed.seal = second.seal;
    EXPECT_NE(mixed.seal, hf_allowed_seal(&mixed)) << words;
  }
  const hf_allowed none = {};
  EXPECT_NE(none.seal, hf_allowed_seal(&none));
}

// Labels that change places, or a name that takes a value's place, make another question.
TEST(AllowedBefore, TheQuestionDependsOnEachWordAndItsPlace) {
  std::set<__u64> questions;
  for (const __u64 first : {0, 1, 2})
    for (const __u64 second : {0, 1, 2})
      for (const __u64 third : {0, 1, 2})
        questions.insert(hf_take_word(hf_take_word(hf_take_word(7, first), second), third));
  EXPECT_EQ(questions.size(), 27u);
}

// An entry that is found without a hash: what is read of it while two are written fits neither cgroup.
TEST(NearProfiles, AMixtureOfTwoEntriesIsOfNoCgroup) {
  struct Writer {
    std::uint64_t cgroup, stamp, profile, bound;
    bool operator==(const Writer&) const = default;
  };
  const Writer first = {0x100000401, hf_near_stamp(7, 5), 3, 0x100000401};
  const Writer others[] = {{first.cgroup, hf_near_stamp(8, 5), 3, first.bound},
                           {first.cgroup, hf_near_stamp(7, 6), 0, 0},
                           {0x200000501, first.stamp, 3, first.bound},
                           {0x200000501, first.stamp, 3, 0x200000501},
                           {0x200000501, first.stamp, 0, 0},
                           {0x200000501, hf_near_stamp(8, 5), 4, 0x200000501}};
  const auto check_of = [](const Writer& writer) {
    return hf_near_check(writer.cgroup, writer.stamp, writer.profile, writer.bound);
  };
  for (const Writer& second : others) {
    for (unsigned words = 0; words < 16; words++) {
      const std::uint64_t stamp = (words & 1) != 0 ? second.stamp : first.stamp;
      const std::uint64_t profile = (words & 2) != 0 ? second.profile : first.profile;
      const std::uint64_t bound = (words & 4) != 0 ? second.bound : first.bound;
      const std::uint64_t check = (words & 8) != 0 ? check_of(second) : check_of(first);
      for (const std::uint64_t reader : {first.cgroup, second.cgroup}) {
        const Writer read = {reader, stamp, profile, bound};
        EXPECT_TRUE(check != check_of(read) || read == first || read == second) << words;
      }
    }
  }
}

TEST(NearProfiles, EachCgroupHasACheckOfItsOwn) {
  const std::uint64_t stamp = hf_near_stamp(7, 5);
  std::set<std::uint64_t> checks;
  for (std::uint64_t cgroup = 1; cgroup < 5000; cgroup++)
    checks.insert(hf_near_check(cgroup, stamp, 3, 1));
  EXPECT_EQ(checks.size(), 4999U);
}

// What one word cannot hold is not remembered.
TEST(NearProfiles, AStampIsOfOnePolicyAndEpoch) {
  EXPECT_NE(hf_near_stamp(7, 5), hf_near_stamp(5, 7));
  EXPECT_NE(hf_near_stamp(7, 5), hf_near_stamp(7, 6));
  EXPECT_EQ(hf_near_stamp(std::uint64_t{1} << 32, 5), 0U);
}

}  // namespace
}  // namespace holdfast
