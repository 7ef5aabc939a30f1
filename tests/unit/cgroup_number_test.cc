// SPDX-License-Identifier: Apache-2.0
//
// A text that is written to cgroup.procs, as the kernel reads it: cgroup_procs_write_start(),
// strim(), kstrtoint() with base 0.
#include <gtest/gtest.h>

#include <optional>
#include <string>

#include "kernel/cgroup/cgroup_files.h"

namespace {

using holdfast::kernel::parse_task_number;

TEST(TaskNumberWritten, TakesWhatTheKernelTakes) {
  const std::pair<std::string, pid_t> taken[] = {
      {"0", 0},
      {"17", 17},
      {"17\n", 17},
      {" \t\v\f\r\n17 \n\n", 17},
      {"\xa0"
       "17"
       "\xa0",
       17},
      {"+17", 17},
      {"-0", 0},
      {"-0x0", 0},
      {"0x1F", 31},
      {"0X1f", 31},
      {"017", 15},
      {"00000000000000000000000000000017", 15},
      {"2147483647", 2147483647},
      {std::string("17\0junk", 7), 17},
  };
  for (const auto& [text, number] : taken)
    EXPECT_EQ(parse_task_number(text), std::optional<pid_t>(number)) << '"' << text << '"';
}

TEST(TaskNumberWritten, RefusesWhatTheKernelRefuses) {
  for (const std::string text :
       {"", " ", "\n", "-1", "+-0", "-+0", "++1", "1 2", "1\n2", "08", "0x", "0xg", "1a", "a",
        "2147483648", "99999999999999999999999999", "0xffffffff", "- 1", "0x 1"})
    EXPECT_EQ(parse_task_number(text), std::nullopt) << '"' << text << '"';
  EXPECT_EQ(parse_task_number(std::string("\0"
                                          "17",
                                          3)),
            std::nullopt);
}

}  // namespace
