// SPDX-License-Identifier: Apache-2.0
// What `holdfast top` counts, and its screen.
#include <gtest/gtest.h>

#include <algorithm>

#include "cli/top_model.h"

namespace holdfast::cli {
namespace {

TEST(Rate, CountsTheSecondsThatAreOver) {
  Rate rate;
  rate.add(1000, 4);
  EXPECT_DOUBLE_EQ(rate.mean(1000, 1), 0);  // this second is not over
  EXPECT_DOUBLE_EQ(rate.mean(1001, 1), 4);
  rate.add(1001, 2);
  rate.add(1000, 1);  // late
  EXPECT_DOUBLE_EQ(rate.mean(1002, 2), 3.5);
  EXPECT_EQ(rate.history(1003, 4), (std::vector<std::uint64_t>{0, 5, 2, 0}));
  rate.add(1001 + Rate::kSeconds, 9);  // the same place as 1001
  EXPECT_EQ(rate.history(1002 + Rate::kSeconds, 2), (std::vector<std::uint64_t>{0, 9}));
  EXPECT_DOUBLE_EQ(rate.mean(5000, 10), 0);
  rate.add(3, 7);  // long ago
  EXPECT_DOUBLE_EQ(rate.mean(4, 1), 0);
}

TEST(TopModel, ForgetsTheRowWithoutNews) {
  TopModel model;
  TopEvent event;
  for (std::size_t i = 0; i < TopModel::kMaxRows + 10; i++) {
    event.profile = "p" + std::to_string(i);
    model.add(event, 100 + i);
  }
  const auto rows = model.rows(TopBy::profile, 700);
  EXPECT_EQ(rows.size(), TopModel::kMaxRows);
  EXPECT_TRUE(std::ranges::none_of(rows, [](const TopRow* row) { return row->name == "p3"; }));
  EXPECT_EQ(model.total(), TopModel::kMaxRows + 10);
  EXPECT_EQ(model.rows(TopBy::unit, 700).size(), 1u);  // all without a unit
}

TEST(TopScreen, FitsEveryTerminal) {
  TopModel model;
  for (int i = 0; i < 50; i++)
    model.add({"päröfil" + std::to_string(i), "r", "u", "", i % 2 == 0, 5}, 100);
  for (unsigned rows : {1u, 2u, 5u, 7u, 24u, 100u}) {
    for (unsigned columns : {1u, 10u, 37u, 40u, 80u, 200u}) {
      TopView view;
      view.rows = rows;
      view.columns = columns;
      view.selected = 49;
      view.has_colour = false;
      const std::string text = top_screen(model, view, 101);
      EXPECT_EQ(std::ranges::count(text, '\n') + 1, static_cast<long>(rows));
      for (std::size_t at = 0; at < text.size();) {
        const std::size_t end = std::min(text.find("\r\n", at), text.size());
        const std::string line =
            text.substr(at + 3, end - at - 3);  // after the erasure of the line
        EXPECT_EQ(cut_to(line, columns, Pad::no), line);
        at = end + 2;
      }
    }
  }
}

TEST(TopScreen, CutsBetweenCharacters) {
  EXPECT_EQ(cut_to("aäb", 2, Pad::no), "aä");
  EXPECT_EQ(cut_to("aä", 4, Pad::yes), "aä  ");
  EXPECT_EQ(cut_to("", 0, Pad::yes), "");
}

}  // namespace
}  // namespace holdfast::cli
