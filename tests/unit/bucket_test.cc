// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include "core/bucket.h"

namespace {

hf_socket_rule rule(std::uint32_t tokens, std::uint64_t period_ns, std::uint32_t burst) {
  hf_socket_rule r = {};
  r.rate_tokens = tokens;
  r.rate_period_ns = period_ns;
  r.rate_burst = burst;
  return r;
}

constexpr std::uint64_t kSecond = 1'000'000'000;

TEST(Bucket, StartsFullAndRunsEmpty) {
  const auto r = rule(20, kSecond, 40);
  hf_bucket bucket = {};
  int taken = 0;
  while (hf_bucket_take(&bucket, 5 * kSecond, &r)) taken++;
  EXPECT_EQ(taken, 40);
  EXPECT_EQ(hf_bucket_take(&bucket, 5 * kSecond + kSecond / 20 - 1, &r), 0);
  EXPECT_EQ(hf_bucket_take(&bucket, 5 * kSecond + kSecond / 20, &r), 1);
  EXPECT_EQ(hf_bucket_take(&bucket, 5 * kSecond + kSecond / 20, &r), 0);
}

// With numbers that do not divide, and for any number of looks, an hour gives an hour's tokens.
TEST(Bucket, LosesNothing) {
  for (const std::uint32_t tokens : {1u, 3u, 7u, 997u}) {
    const auto r = rule(tokens, kSecond, 2);
    hf_bucket bucket = {};
    std::uint64_t taken = 0;
    const std::uint64_t step = kSecond / tokens / 3;
    std::uint64_t now = kSecond;
    for (; now <= 101 * kSecond; now += step) taken += hf_bucket_take(&bucket, now, &r);
    EXPECT_GE(taken + 1, std::uint64_t{tokens} * 100) << tokens;
    EXPECT_LE(taken, std::uint64_t{tokens} * 100 + 2) << tokens;
  }
}

TEST(Bucket, NeverHoldsMoreThanItsBurst) {
  const auto r = rule(1'000'000, 3600 * kSecond, 1'000'000);
  hf_bucket bucket = {};
  std::uint64_t taken = 0;
  while (hf_bucket_take(&bucket, kSecond, &r)) taken++;
  EXPECT_EQ(taken, 1'000'000u);
  taken = 0;
  while (hf_bucket_take(&bucket, ~0ull - 1, &r)) taken++;
  EXPECT_EQ(taken, 1'000'000u);
}

TEST(Bucket, AClockBehindAddsNothing) {
  const auto r = rule(1, kSecond, 1);
  hf_bucket bucket = {};
  EXPECT_EQ(hf_bucket_take(&bucket, 10 * kSecond, &r), 1);
  EXPECT_EQ(hf_bucket_take(&bucket, 9 * kSecond, &r), 0);
  EXPECT_EQ(hf_bucket_take(&bucket, 10 * kSecond + kSecond / 2, &r), 0);
  EXPECT_EQ(hf_bucket_take(&bucket, 11 * kSecond, &r), 1);
}

}  // namespace
