// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <cerrno>
#include <filesystem>
#include <fstream>
#include <string>

#include "kernel/process/privileges.h"
#include "run/lsm_memory.h"

namespace {

using namespace holdfast;

class LsmMemory : public testing::Test {
 protected:
  LsmMemory() {
    char pattern[] = "/tmp/lsm_memory.XXXXXX";
    directory_ = ::mkdtemp(pattern);
    path_ = directory_ + "/below/lsm";
  }
  ~LsmMemory() override { std::filesystem::remove_all(directory_); }

  std::string directory_;
  std::string path_;
  Error refused_{EPERM, "load", "run", "not for you"};
};

TEST_F(LsmMemory, RecallsTheReasonForTheSamePrivileges) {
  EXPECT_EQ(run::recall(path_, "root"), "");
  run::remember(path_, "root", refused_);
  EXPECT_EQ(run::recall(path_, "root"), refused_.message());
  EXPECT_EQ(run::recall(path_, "roo"), "");
  EXPECT_EQ(run::recall(path_, "root after a boot"), "");
  EXPECT_EQ(run::recall(path_, ""), "");
}

TEST_F(LsmMemory, KeepsNoErrorThatMayPass) {
  for (const int code : {ENOMEM, EBUSY, EAGAIN, EMFILE, EINTR, 0})
    run::remember(path_, "root", Error{code, "load", "run", {}});
  EXPECT_EQ(run::recall(path_, "root"), "");
  run::remember(path_, "", refused_);
  EXPECT_FALSE(std::filesystem::exists(path_));
}

TEST_F(LsmMemory, IgnoresWhatOthersCouldHaveWritten) {
  run::remember(path_, "root", refused_);
  ASSERT_EQ(::chmod(path_.c_str(), 0666), 0);
  EXPECT_EQ(run::recall(path_, "root"), "");
  ASSERT_EQ(::chmod(path_.c_str(), 0644), 0);
  ASSERT_EQ(::chmod((directory_ + "/below").c_str(), 0777), 0);
  EXPECT_EQ(run::recall(path_, "root"), "");
}

TEST_F(LsmMemory, PrivilegesAreOneLineAndStay) {
  const std::string text = kernel::privileges_text();
  EXPECT_FALSE(text.empty());
  EXPECT_EQ(text.find('\n'), std::string::npos);
  EXPECT_EQ(text, kernel::privileges_text());
}

}  // namespace
