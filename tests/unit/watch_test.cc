// SPDX-License-Identifier: Apache-2.0
// Which changes of a directory are noticed, and which are not finished yet.
#include "kernel/files/watch.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>

#include "base/fd.h"

namespace holdfast::kernel {
namespace {

namespace fs = std::filesystem;

class Watch : public ::testing::Test {
 protected:
  void SetUp() override {
    char name[] = "/tmp/watch-XXXXXX";
    ASSERT_NE(mkdtemp(name), nullptr);
    directory_ = name;
    auto made = DirectoryWatch::create({directory_, directory_ + "/missing"});
    ASSERT_TRUE(made) << made.error().message();
    watch_ = std::make_unique<DirectoryWatch>(*std::move(made));
    EXPECT_FALSE(watch_->drain());
  }
  void TearDown() override { fs::remove_all(directory_); }

  std::string directory_;
  std::unique_ptr<DirectoryWatch> watch_;
};

// What is written but not closed may be a part of a policy.
TEST_F(Watch, AFileMattersOnceItIsClosed) {
  const std::string path = directory_ + "/a.toml";
  {
    const Fd fd(open(path.c_str(), O_CREAT | O_WRONLY | O_CLOEXEC, 0644));
    ASSERT_TRUE(fd);
    EXPECT_FALSE(watch_->drain());
    ASSERT_EQ(write(fd.get(), "x", 1), 1);
    EXPECT_FALSE(watch_->drain());
  }
  EXPECT_TRUE(watch_->drain());
  EXPECT_FALSE(watch_->drain());
}

TEST_F(Watch, LinksDirectoriesAttributesAndRemovalsMatter) {
  fs::create_symlink("/dev/null", directory_ + "/a.toml");
  EXPECT_TRUE(watch_->drain());
  fs::rename(directory_ + "/a.toml", directory_ + "/b.toml");
  EXPECT_TRUE(watch_->drain());
  fs::remove(directory_ + "/b.toml");
  EXPECT_TRUE(watch_->drain());
  ASSERT_EQ(mkfifo((directory_ + "/pipe").c_str(), 0600), 0);
  EXPECT_TRUE(watch_->drain());
  ASSERT_EQ(chmod((directory_ + "/pipe").c_str(), 0644), 0);
  EXPECT_TRUE(watch_->drain());
}

TEST_F(Watch, ADirectoryCanBeAddedLater) {
  const std::string below = directory_ + "/a.toml.d";
  fs::create_directory(below);
  EXPECT_TRUE(watch_->drain());
  ASSERT_TRUE(watch_->add({directory_, below}));
  fs::create_symlink("/dev/null", below + "/1.toml");
  EXPECT_TRUE(watch_->drain());
  EXPECT_FALSE(watch_->drain());
}

}  // namespace
}  // namespace holdfast::kernel
