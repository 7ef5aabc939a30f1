// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include <cerrno>
#include <memory>
#include <optional>
#include <string>
#include <tuple>
#include <utility>
#include <vector>

#include "base/reason.h"
#include "base/result.h"

namespace {

using holdfast::Error;
using holdfast::Result;
using holdfast::wrap;

const Error kRefused = {EACCES, "open", "/x", "be root"};

// Counts copies, so that a test can require that there are none.
struct Counted {
  Counted() = default;
  explicit Counted(int* to) : copies(to) {}
  Counted(const Counted& other) : copies(other.copies) { ++*copies; }
  Counted(Counted&& other) noexcept = default;
  Counted& operator=(const Counted& other) {
    copies = other.copies;
    ++*copies;
    return *this;
  }
  Counted& operator=(Counted&& other) noexcept = default;
  ~Counted() = default;
  int* copies = nullptr;
};

Result<void> works() { return {}; }
Result<void> fails() { return kRefused; }
template <typename T>
Result<T> value(T held) {
  return held;
}
template <typename T>
Result<T> no_value() {
  return kRefused;
}

TEST(Error, ItsReasonIsTheDetailOrElseTheWholeMessage) {
  EXPECT_EQ(holdfast::reason_of(kRefused), "be root");
  EXPECT_EQ(holdfast::reason_of({EACCES, "open", "/x", {}}), "open /x: Permission denied");
}

TEST(HfTry, GoesOnAfterSuccessAndReturnsTheError) {
  int reached = 0;
  const auto run = [&]() -> Result<void> {
    HF_TRY(works());
    reached++;
    HF_TRY(fails());
    reached++;
    return {};
  };
  const auto done = run();
  EXPECT_EQ(reached, 1);
  ASSERT_FALSE(done);
  EXPECT_EQ(done.error().message(), kRefused.message());
}

TEST(HfTry, EvaluatesItsExpressionOnce) {
  int calls = 0;
  const auto count = [&]() -> Result<void> {
    calls++;
    return {};
  };
  const auto run = [&]() -> Result<void> {
    HF_TRY(count());
    return {};
  };
  EXPECT_TRUE(run());
  EXPECT_EQ(calls, 1);
}

TEST(HfTry, IsOneStatement) {
  const auto run = [](bool first) -> Result<void> {
    if (first)
      HF_TRY(works());
    else
      HF_TRY(fails());
    return {};
  };
  EXPECT_TRUE(run(true));
  EXPECT_FALSE(run(false));
}

TEST(HfTry, ReturnsWhateverAnErrorConvertsTo) {
  const auto optional = []() -> std::optional<Error> {
    HF_TRY(fails());
    return std::nullopt;
  };
  EXPECT_EQ(optional()->code, EACCES);
  const auto other = []() -> Result<std::vector<int>> {
    HF_TRY(fails());
    return std::vector<int>();
  };
  EXPECT_EQ(other().error().code, EACCES);
}

TEST(HfTry, NestsInALambdaOfItsExpression) {
  const auto call = [](const auto& inner) -> Result<void> { return inner(); };
  const auto run = [&]() -> Result<void> {
    HF_TRY(call([]() -> Result<void> {
      HF_TRY(fails());
      return {};
    }));
    return {};
  };
  EXPECT_FALSE(run());
}

TEST(HfTryAssign, DeclaresAndAssigns) {
  std::string assigned;
  const auto run = [&]() -> Result<std::size_t> {
    HF_TRY_ASSIGN(const auto one, value<std::string>("a"));
    HF_TRY_ASSIGN(assigned, value<std::string>("bc"));
    HF_TRY_ASSIGN(std::ignore, value(3));
    HF_TRY_ASSIGN(auto both, value(std::pair<int, int>{1, 2}));
    HF_TRY_ASSIGN(auto six, value(6));
    // A comma outside of parentheses.
    HF_TRY_ASSIGN(auto pair, Result<std::pair<int, int>>({3, 4}));
    return one.size() + assigned.size() + both.first + both.second + six + pair.first;
  };
  const auto sum = run();
  ASSERT_TRUE(sum);
  EXPECT_EQ(*sum, 1u + 2u + 3u + 6u + 3u);
}

TEST(HfTryAssign, LeavesWhatItWouldAssignToAfterAnError) {
  std::string kept = "kept";
  const auto run = [&]() -> Result<void> {
    HF_TRY_ASSIGN(kept, no_value<std::string>());
    return {};
  };
  EXPECT_FALSE(run());
  EXPECT_EQ(kept, "kept");
}

TEST(HfTryAssign, TakesValuesThatOnlyMove) {
  const auto run = []() -> Result<std::unique_ptr<int>> {
    HF_TRY_ASSIGN(auto held, value(std::make_unique<int>(7)));
    return held;
  };
  EXPECT_EQ(**run(), 7);
}

TEST(HfTryAssign, CopiesNoValue) {
  int copies = 0;
  const auto make = [&]() -> Result<Counted> { return Counted(&copies); };
  const auto run = [&]() -> Result<Counted> {
    HF_TRY_ASSIGN(auto one, make());
    HF_TRY_ASSIGN(one, make());
    return one;
  };
  EXPECT_TRUE(run());
  EXPECT_EQ(copies, 0);
}

// A text that is longer than std::string holds in itself keeps its place when it is moved.
TEST(HfTryAssign, MovesTheError) {
  const char* place = nullptr;
  const auto fail = [&]() -> Result<int> {
    Error error = {EIO, "read", std::string(100, 'x'), {}};
    place = error.object.data();
    return error;
  };
  const auto run = [&]() -> Result<void> {
    HF_TRY_ASSIGN(std::ignore, fail());
    return {};
  };
  const auto done = run();
  ASSERT_FALSE(done);
  EXPECT_EQ(done.error().object.data(), place);
}

TEST(Wrap, AddsContextToAnErrorOnly) {
  EXPECT_TRUE(wrap(works(), "start"));
  EXPECT_EQ(wrap(fails(), "start").error().message(), wrap(kRefused, "start").message());
  EXPECT_EQ(*wrap(value(5), "start"), 5);
  EXPECT_EQ(wrap(no_value<int>(), "start").error().operation, "start: open");
}

}  // namespace
