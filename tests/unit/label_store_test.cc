// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include <atomic>
#include <cerrno>
#include <thread>
#include <vector>

#include "label/store.h"

namespace {

using holdfast::label::Store;

TEST(LabelStore, KeepsWhatWasSet) {
  Store store;
  EXPECT_FALSE(store.get(7, "user.a"));
  ASSERT_TRUE(store.set(7, "user.a", "one", 0));
  ASSERT_TRUE(store.set(7, "user.b", "two", 0));
  ASSERT_TRUE(store.set(7, "user.a", "three", 0));
  EXPECT_EQ(store.get(7, "user.a"), "three");
  EXPECT_FALSE(store.get(8, "user.a"));
  EXPECT_EQ(store.list(7), (std::vector<std::string>{"user.a", "user.b"}));
  ASSERT_TRUE(store.remove(7, "user.a"));
  EXPECT_EQ(store.list(7), (std::vector<std::string>{"user.b"}));
  EXPECT_EQ(store.remove(7, "user.a").error().code, ENODATA);
  ASSERT_TRUE(store.remove(7, "user.b"));
  EXPECT_EQ(store.socket_count(), 0u);
  EXPECT_EQ(store.byte_count(), 0u);
}

TEST(LabelStore, CopiesAndForgets) {
  Store store;
  ASSERT_TRUE(store.set(1, "user.a", "v", 0));
  ASSERT_TRUE(store.copy(1, 2));
  ASSERT_TRUE(store.set(2, "user.a", "w", 0));
  EXPECT_EQ(store.get(1, "user.a"), "v");
  EXPECT_EQ(store.get(2, "user.a"), "w");
  store.forget(1);
  EXPECT_FALSE(store.has(1));
  EXPECT_TRUE(store.has(2));
  ASSERT_TRUE(store.copy(1, 3));
  EXPECT_FALSE(store.has(3));
}

TEST(LabelStore, IsBounded) {
  Store few({.sockets = 2, .bytes = 1000});
  ASSERT_TRUE(few.set(1, "user.a", "v", 0));
  ASSERT_TRUE(few.set(2, "user.a", "v", 0));
  EXPECT_EQ(few.set(3, "user.a", "v", 0).error().code, ENOSPC);
  EXPECT_EQ(few.copy(1, 3).error().code, ENOSPC);
  few.forget(1);
  EXPECT_TRUE(few.set(3, "user.a", "v", 0));
  EXPECT_EQ(few.set(3, "user.b", std::string(1000, 'v'), 0).error().code, ENOSPC);
}

// Each value is 64 equal characters; a torn or freed one would not be.
TEST(LabelStore, IsReadWhileItChanges) {
  Store store;
  std::atomic<bool> stop = false;
  std::atomic<std::uint64_t> wrong = 0, reads = 0;
  std::vector<std::thread> readers;
  for (int reader = 0; reader < 2; reader++)
    readers.emplace_back([&] {
      while (!stop)
        for (std::uint64_t socket = 0; socket < 64; socket++)
          store.read(socket, "user.a", [&](std::string_view value) {
            reads++;
            if (value.size() != 64 || value.find_first_not_of(value[0]) != value.npos) wrong++;
          });
    });
  for (int round = 0; round < 2000 || reads == 0; round++) {
    const std::uint64_t socket = static_cast<std::uint64_t>(round) % 64;
    const char letter = static_cast<char>('a' + round % 26);
    ASSERT_TRUE(store.set(socket, "user.a", std::string(64, letter), 0));
    if (round % 7 == 0) store.forget(socket);
    if (round % 5 == 0) (void)store.copy(socket, socket ^ 1);
  }
  stop = true;
  for (std::thread& reader : readers) reader.join();
  EXPECT_EQ(wrong, 0u);
  EXPECT_GT(reads, 0u);
}

}  // namespace
