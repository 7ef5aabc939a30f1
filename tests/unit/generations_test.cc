// SPDX-License-Identifier: Apache-2.0
// What is kept on disk of the policies of a machine.
#include "daemon/generations.h"

#include <gtest/gtest.h>

#include <cerrno>
#include <filesystem>
#include <fstream>

#include "core/abi.h"
#include "kernel/files/atomic_file.h"

namespace holdfast::daemon {
namespace {

namespace fs = std::filesystem;

class OnDisk : public testing::Test {
 protected:
  OnDisk() { fs::remove_all(directory_); }
  ~OnDisk() override { fs::remove_all(directory_); }

  static std::string text_of(const std::string& path) {
    std::ifstream file(path);
    return {std::istreambuf_iterator<char>(file), {}};
  }
  std::string directory_ = testing::TempDir() + "holdfast-generations";
  Generations archive_{directory_};
};

Generation generation(std::uint64_t number) {
  return {number, {{"a.toml", "version = 1\n# \"ü\"\n"}, {"b.toml", ""}}, {{"web", HF_MODE_AUDIT}}};
}

TEST_F(OnDisk, TextsComeBackExactly) {
  EXPECT_FALSE(archive_.load(7));
  EXPECT_EQ(archive_.newest(), 0u);
  ASSERT_TRUE(archive_.save(generation(7)));
  const auto back = archive_.load(7);
  ASSERT_TRUE(back);
  EXPECT_TRUE(same_policy(*back, generation(7)));
  EXPECT_EQ(back->number, 7u);
  EXPECT_EQ(archive_.newest(), 7u);
  fs::rename(directory_ + "/7.json", directory_ + "/8.json");
  EXPECT_FALSE(archive_.load(8)) << "it says that it is another one";
  archive_.remove(8);
  EXPECT_EQ(archive_.newest(), 0u);
}

TEST_F(OnDisk, TheRecordComesBackExactly) {
  EXPECT_FALSE(archive_.read());
  const LifeState now{5, 4, 3, std::nullopt, 0xffffffffffffffffu, false};
  const LifeState next{6, 4, 3, Deadline{123456789012345678u, "boot"}, 0, true};
  ASSERT_TRUE(archive_.write({now, next, "boot"}));
  const auto back = archive_.read();
  ASSERT_TRUE(back && back->next && back->next->deadline);
  EXPECT_EQ(back->boot, "boot");
  EXPECT_EQ(back->now.live, 5u);
  EXPECT_EQ(back->now.confirmed, 4u);
  EXPECT_EQ(back->now.before, 3u);
  EXPECT_EQ(back->now.turned_away, 0xffffffffffffffffu);
  EXPECT_FALSE(back->now.deadline || back->now.staged);
  EXPECT_TRUE(back->next->staged);
  EXPECT_EQ(back->next->deadline->at_ns, 123456789012345678u);
  EXPECT_EQ(back->next->deadline->boot, "boot");
  ASSERT_TRUE(archive_.write({now, std::nullopt, "boot"}));
  EXPECT_FALSE(archive_.read()->next);
}

TEST_F(OnDisk, ADamagedRecordIsNone) {
  fs::create_directories(directory_);
  for (const char* text :
       {"", "{", "[]", R"({"version":1})", R"({"version":2,"now":{"live":1}})",
        R"({"version":1,"now":{"live":0}})", R"({"version":1,"now":{"live":1,"deadline":3}})"}) {
    std::ofstream(directory_ + "/life.json") << text;
    EXPECT_FALSE(archive_.read()) << text;
  }
}

TEST_F(OnDisk, PruningKeepsWhatIsNeeded) {
  for (std::uint64_t number = 1; number <= 50; number++) {
    ASSERT_TRUE(archive_.save(generation(number)));
    archive_.prune({2, 3, number});
  }
  EXPECT_FALSE(archive_.load(1));
  EXPECT_TRUE(archive_.load(2) && archive_.load(3));
  EXPECT_FALSE(archive_.load(18));
  EXPECT_TRUE(archive_.load(19) && archive_.load(50));
}

TEST(Memory, KeepsOnlyWhatIsNeeded) {
  MemoryArchive archive;
  for (std::uint64_t number = 1; number <= 5; number++)
    ASSERT_TRUE(archive.save(generation(number)));
  archive.prune({2, 5});
  EXPECT_TRUE(archive.load(2) && archive.load(5));
  EXPECT_FALSE(archive.load(4));
  EXPECT_EQ(archive.newest(), 5u);
}

TEST_F(OnDisk, SeveralFilesAreReplacedOrNone) {
  fs::create_directories(directory_);
  const std::string first = directory_ + "/a.toml";
  std::ofstream(first) << "old";
  EXPECT_FALSE(
      kernel::replace_files({{first, "new"}, {directory_ + "/missing/b.toml", "new"}}, 0644));
  EXPECT_EQ(text_of(first), "old");
  EXPECT_FALSE(fs::exists(first + ".new"));
  EXPECT_TRUE(kernel::replace_files({{first, "new"}, {directory_ + "/b.toml", "also"}}, 0644));
  EXPECT_EQ(text_of(first), "new");
  EXPECT_EQ(text_of(directory_ + "/b.toml"), "also");
}

TEST_F(OnDisk, WhoReadsWaitsForWhoInstalls) {
  const std::string path = directory_ + "/install.lock";
  {
    const auto installs = kernel::lock_file(path, kernel::Lock::exclusive);
    ASSERT_TRUE(installs);
    const auto reads = kernel::lock_file(path, kernel::Lock::shared);
    ASSERT_FALSE(reads);
    EXPECT_EQ(reads.error().code, EWOULDBLOCK);
  }
  const auto one = kernel::lock_file(path, kernel::Lock::shared);
  EXPECT_TRUE(one);
  EXPECT_TRUE(kernel::lock_file(path, kernel::Lock::shared));
  EXPECT_FALSE(kernel::lock_file(path, kernel::Lock::exclusive));
}

}  // namespace
}  // namespace holdfast::daemon
