// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include "kernel/process/process.h"
#include "run/announcement.h"

namespace {

using namespace holdfast;

TEST(Announcement, SaysWhatItWasGiven) {
  const std::string text = run::announcement_text({4711, "lsm", "lock", "web@2:x"});
  const auto read = run::parse_announcement(text);
  ASSERT_TRUE(read);
  EXPECT_EQ(read->pid, 4711);
  EXPECT_EQ(read->backend, "lsm");
  EXPECT_EQ(read->enter, "lock");
  EXPECT_EQ(read->profile, "web@2:x");
}

TEST(Announcement, FitsWithTheLongestProfile) {
  const std::string longest(64, 'p');
  EXPECT_LT(run::announcement_text({4194304, "supervisor", "lock", longest}).size(), 108u);
  EXPECT_TRUE(run::announce({kernel::own_pid(), "supervisor", "lock", longest}));
}

TEST(Announcement, NoProfileIsNone) {
  const auto read = run::parse_announcement(run::announcement_text({1, "lsm", "any", ""}));
  ASSERT_TRUE(read);
  EXPECT_EQ(read->profile, "");
}

TEST(Announcement, OtherNamesAreNone) {
  for (const char* name :
       {"", "@", "@holdfast-run", "@holdfast-run 1 lsm lock", "@x 1 lsm lock a",
        "@holdfast-run 0 lsm lock a", "@holdfast-run -1 lsm lock a", "@holdfast-run 1x lsm lock a",
        "@holdfast-run 1 lsm lock a b", "@holdfast-run 99999999999 lsm lock a"})
    EXPECT_FALSE(run::parse_announcement(name)) << name;
}

TEST(Announcement, IsThereAsLongAsItIsHeld) {
  const auto count = [] {
    std::size_t mine = 0;
    const auto runs = run::announced_runs();
    EXPECT_TRUE(runs);
    for (const auto& run : *runs)
      if (run.pid == kernel::own_pid() && run.backend == "held") mine++;
    return mine;
  };
  {
    const auto held = run::announce({kernel::own_pid(), "held", "any", "a"});
    ASSERT_TRUE(held);
    EXPECT_FALSE(run::announce({kernel::own_pid(), "held", "any", "a"}));  // taken
    EXPECT_EQ(count(), 1u);
  }
  EXPECT_EQ(count(), 0u);
}

}  // namespace
