// SPDX-License-Identifier: Apache-2.0
// holdfastd says which lines it does not enforce, and of those it does, nothing.
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "daemon/unenforced.h"
#include "policy/load.h"

namespace {

using holdfast::daemon::UnenforcedRule;

std::vector<std::string> lines_of(const std::string& rules) {
  const auto loaded = holdfast::policy::load(
      {{"web.toml", "version = 1\n[profile.web]\ncgroup = \"/web\"\n" + rules}});
  EXPECT_NE(loaded.policy, nullptr);
  std::vector<std::string> lines;
  if (!loaded.policy) return lines;
  for (const UnenforcedRule& rule : holdfast::daemon::unenforced_rules(*loaded.policy))
    lines.push_back(rule.where.place() + " " + rule.text);
  return lines;
}

TEST(UnenforcedRules, AreNoneOfACgroupsOwn) {
  EXPECT_EQ(lines_of("cgroups.leave = []\ncgroups.join = []\ncgroups.inside = []\n"
                     "namespaces.create = [\"net\"]\nnamespaces.enter = \"none\"\n"),
            std::vector<std::string>());
}

TEST(UnenforcedRules, AreNoneAboutSockets) {
  EXPECT_EQ(lines_of("[profile.web.label]\nset = [\"user.a\"]\ninherit = true\n"
                     "[[profile.web.socket]]\non = [\"send\"]\nverdict = \"deny\"\n"),
            std::vector<std::string>());
}

TEST(UnenforcedRules, AreNoneAboutThePeer) {
  EXPECT_EQ(lines_of("[[profile.web.socket]]\nfamily = [\"unix\"]\npeer = { \"user.a\" = \"b\" }\n"
                     "verdict = \"deny\"\non = [\"connect\", \"accept\"]\n"),
            std::vector<std::string>());
}

TEST(UnenforcedRules, AreNoneAboutNamespaces) {
  for (const char* rule : {"enter = \"lock\"", "enter = \"own\"", "visitors = \"deny\""})
    EXPECT_EQ(lines_of(std::string("namespaces.") + rule + "\nnamespaces.track = true\n"),
              std::vector<std::string>())
        << rule;
}

}  // namespace
