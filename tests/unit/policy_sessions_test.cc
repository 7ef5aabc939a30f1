// SPDX-License-Identifier: Apache-2.0
// The table [sessions]: whom it names, its quotas, several files, and mistakes.
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "policy/load.h"

namespace holdfast::policy {
namespace {

std::string first_mistake(const std::vector<Source>& sources) {
  const LoadResult result = load(sources);
  return result.diagnostics.empty() ? "none" : result.diagnostics[0].message;
}

std::string mistake_in(const std::string& table) {
  return first_mistake({{"a.toml", "version = 1\n[sessions]\n" + table + "\n"}});
}

TEST(Sessions, NobodyWithoutTheTable) {
  const LoadResult result = load({{"a.toml", "version = 1\n"}});
  ASSERT_NE(result.policy, nullptr);
  EXPECT_TRUE(result.policy->sessions.users.empty());
  EXPECT_EQ(result.policy->sessions.sessions, 16u);
}

TEST(Sessions, NamesUsersAndQuotas) {
  using Kind = SessionUser::Kind;
  const LoadResult result = load({{"a.toml",
                                   "version = 1\n[sessions]\nusers = [\"alice\", 1002, \"@staff\", "
                                   "\"@77\", \"any\"]\nsessions = 8\nrules = 4096\n"}});
  ASSERT_NE(result.policy, nullptr);
  const SessionRules& rules = result.policy->sessions;
  ASSERT_EQ(rules.users.size(), 5u);
  EXPECT_EQ(rules.users[0].kind, Kind::user);
  EXPECT_EQ(rules.users[0].name, "alice");
  EXPECT_FALSE(rules.users[0].number.has_value());
  EXPECT_EQ(rules.users[1].kind, Kind::user);
  EXPECT_EQ(rules.users[1].number, 1002u);
  EXPECT_EQ(rules.users[2].kind, Kind::group);
  EXPECT_EQ(rules.users[2].name, "staff");
  EXPECT_EQ(rules.users[3].number, 77u);
  EXPECT_EQ(rules.users[4].kind, Kind::any);
  EXPECT_EQ(rules.sessions, 8u);
  EXPECT_EQ(rules.rules, 4096u);
  EXPECT_EQ(rules.members, 1024u);
}

TEST(Sessions, Mistakes) {
  EXPECT_EQ(mistake_in("users = \"alice\""), "'users' must be a list of users, not a string");
  EXPECT_EQ(mistake_in("users = [0]"), "0 is not the uid of an ordinary user");
  EXPECT_EQ(mistake_in("users = [4294967295]"), "4294967295 is not the uid of an ordinary user");
  EXPECT_EQ(mistake_in("users = [\"1000\"]"), "'1000' is no name");
  EXPECT_EQ(mistake_in("users = [\"@\"]"), "'@' names no user");
  EXPECT_EQ(mistake_in("users = [\"a:b\"]"), "'a:b' names no user");
  EXPECT_EQ(mistake_in("users = [true]"), "a user is a name or a uid, not true or false");
  EXPECT_EQ(mistake_in("sessions = 0"), "0 is not from 1 to 256");
  EXPECT_EQ(mistake_in("members = 16385"), "16385 is not from 1 to 16384");
  EXPECT_EQ(mistake_in("user = []"), "unknown key 'user' in [sessions]");
}

TEST(Sessions, SeveralFiles) {
  const Source first = {"a.toml", "version = 1\n[sessions]\nusers = [\"alice\"]\n"};
  Source drop_in = {"b.toml", "version = 1\n[sessions]\nusers = [\"bob\"]\nsessions = 2\n"};
  EXPECT_EQ(first_mistake({first, drop_in}), "'users' of [sessions] is stated in two files");
  drop_in.drop_in = true;
  const LoadResult result = load({first, drop_in});
  ASSERT_NE(result.policy, nullptr);
  ASSERT_EQ(result.policy->sessions.users.size(), 1u);
  EXPECT_EQ(result.policy->sessions.users[0].name, "bob");
  EXPECT_EQ(result.policy->sessions.sessions, 2u);
}

}  // namespace
}  // namespace holdfast::policy
