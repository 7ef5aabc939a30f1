// SPDX-License-Identifier: Apache-2.0
// The score of a unit, and its reasons.
#include <gtest/gtest.h>

#include <algorithm>
#include <numeric>

#include "explain/exposure.h"
#include "policy/policy_text.h"

namespace holdfast::policy {
namespace {

ReadPolicy make(const std::string& rules) {
  ReadPolicy read = read_policy({{{"p.toml", "version = 1\n" + rules, false}}, {}});
  for (const Diagnostic& diagnostic : read.diagnostics) ADD_FAILURE() << render(diagnostic);
  return read;
}

Exposure of(const ReadPolicy& policy, const std::optional<UnitState>& state = std::nullopt) {
  return exposure_of(policy.model, *policy.compiled, "/system.slice/web.service", state);
}

double open_of(const Exposure& exposure, std::string_view id) {
  const auto at = std::ranges::find(exposure.findings, id, &Finding::id);
  return at == exposure.findings.end() ? -1 : at->open;
}

constexpr char kClosed[] =
    "[profile.web]\nunit = \"web.service\"\nnamespaces.create = []\nnamespaces.enter = \"none\"\n"
    "namespaces.track = true\nnamespaces.visitors = \"deny\"\n"
    "cgroups.leave = []\ncgroups.join = []\ncgroups.inside = []\n"
    "[[profile.web.socket]]\non = [\"bind\", \"connect\", \"listen\", \"accept\", \"send\"]\n"
    "verdict = \"deny\"\n";

TEST(Exposure, IsAllWithoutAProfileAndNothingIfAllIsClosed) {
  const Exposure without = of(make(""));
  EXPECT_EQ(without.profile, "");
  EXPECT_DOUBLE_EQ(without.score, 10);
  const Exposure closed = of(make(kClosed), UnitState{1, false, false, false, false});
  EXPECT_EQ(closed.profile, "web");
  EXPECT_DOUBLE_EQ(closed.score, 0);
  EXPECT_EQ(word_for_exposure(closed.score), "safe");
  EXPECT_EQ(word_for_exposure(without.score), "unsafe");
}

TEST(Exposure, CountsAuditAsOpen) {
  const Exposure audited = of(make("mode = \"audit\"\n" + std::string(kClosed)));
  EXPECT_DOUBLE_EQ(audited.score, 10);
  EXPECT_NE(audited.findings[0].why.find("only reported"), std::string::npos);
}

TEST(Exposure, GrowsWithEachThingThatIsOpen) {
  const std::string closed = kClosed;
  const double least = of(make(closed)).score;
  const std::pair<const char*, const char*> looser[] = {
      {"create = []", "create = [\"user\"]"},
      {"enter = \"none\"", "enter = \"any\""},
      {"leave = []", "leave = [\"web\"]"},
      {"join = []", "join = \"any\""},
      {"inside = []", "inside = \"delegated\""},
      {"visitors = \"deny\"", "visitors = \"lock\""},
      {"\"accept\", ", ""}};
  for (const auto& [from, to] : looser) {
    std::string changed = closed;
    changed.replace(changed.find(from), std::string_view(from).size(), to);
    EXPECT_GT(of(make(changed)).score, least) << to;
  }
  for (UnitState state :
       {UnitState{1, true, false, false, false}, UnitState{1, false, true, false, false},
        UnitState{1, false, false, true, false}, UnitState{0, false, false, false, true}})
    EXPECT_GT(of(make(closed), state).score, least);
}

TEST(Exposure, IsTheSumOfItsFindings) {
  const Exposure some =
      of(make("[profile.web]\nunit = \"web.service\"\nnamespaces.create = [\"user\", \"net\"]\n"),
         UnitState{2, true, false, true, false});
  double open = 0, weight = 0;
  for (const Finding& one : some.findings) {
    open += one.weight * one.open;
    weight += one.weight;
    EXPECT_FALSE(one.why.empty());
  }
  EXPECT_DOUBLE_EQ(some.score, 10 * open / weight);
  EXPECT_DOUBLE_EQ(open_of(some, "namespaces.create"), 0.25);
  EXPECT_DOUBLE_EQ(open_of(some, "user"), 1);
  EXPECT_DOUBLE_EQ(open_of(some, "capabilities"), 0);
  EXPECT_DOUBLE_EQ(open_of(of(make(""), UnitState{}), "user"), -1);  // it has no processes
}

}  // namespace
}  // namespace holdfast::policy
