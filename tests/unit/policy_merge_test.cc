// SPDX-License-Identifier: Apache-2.0
// Several files as one policy: keys that are added and overridden, and those that are stated twice.
#include <gtest/gtest.h>

#include "policy/listing.h"
#include "policy/parse.h"
#include "policy/policy_text.h"
#include "policy/unit_name.h"

namespace holdfast::policy {
namespace {

Source file(std::string name, std::string text) {
  return {std::move(name), "version = 1\n" + std::move(text), false};
}

Source drop_in(std::string name, std::string text) {
  Source source = file(std::move(name), std::move(text));
  source.drop_in = true;
  return source;
}

// "web namespaces.enter = "none" a.toml:3" for each statement.
std::string statements(const std::vector<Source>& sources) {
  const ParseResult parsed = parse(sources);
  std::string text;
  for (const Diagnostic& diagnostic : parsed.diagnostics) text += render(diagnostic);
  for (const Statement& one : statements_of(parsed.model))
    text += one.profile + " " + one.key + " = " + one.text + " " + one.where.file + ":" +
            std::to_string(one.where.line) + "\n";
  return text;
}

TEST(Merge, AProfileMayHaveKeysInSeveralFiles) {
  EXPECT_EQ(statements({file("a.toml", "[profile.web]\ncgroup = \"/web\"\n"),
                        file("b.toml", "[profile.web]\nnamespaces.enter = \"none\"\n")}),
            "web cgroup = \"/web\" a.toml:3\nweb namespaces.enter = \"none\" b.toml:3\n");
}

TEST(Merge, AKeyInTwoFilesIsAMistake) {
  const ParseResult parsed =
      parse({file("a.toml", "[profile.web]\nnamespaces.enter = \"none\"\n"),
             file("b.toml", "[profile.web]\nnamespaces.enter = \"none\"\n"),
             file("c.toml", "[[profile.web.socket]]\non = [\"bind\"]\nverdict = \"deny\"\n"),
             file("d.toml", "[[profile.web.socket]]\non = [\"listen\"]\nverdict = \"deny\"\n")});
  ASSERT_EQ(parsed.diagnostics.size(), 2u);
  EXPECT_EQ(render(parsed.diagnostics[0]),
            "b.toml:3:1: error: 'namespaces.enter' of profile 'web' is stated in two files\n"
            "    3 | namespaces.enter = \"none\"\n"
            "      | ^~~~~~~~~~~~~~~~~~~~~~~~~\n"
            "      = first at a.toml:3:1; only a drop-in of that file may override it\n");
  EXPECT_EQ(parsed.diagnostics[1].where.file, "d.toml");
}

TEST(Merge, ADropInOverridesAndAdds) {
  EXPECT_EQ(statements({file("a.toml", "[profile.web]\ncgroup = \"/web\"\nlog = \"all\"\n"),
                        drop_in("a.toml.d/1.toml", "[profile.web]\ncgroup = \"/srv\"\n"),
                        drop_in("a.toml.d/2.toml",
                                "[profile.web]\nnamespaces.enter = \"none\"\n[profile.new]\n"),
                        file("b.toml", "[profile.db]\nlog = \"none\"\n")}),
            "web log = \"all\" a.toml:4\nweb cgroup = \"/srv\" a.toml.d/1.toml:3\n"
            "web namespaces.enter = \"none\" a.toml.d/2.toml:3\nnew  =  a.toml.d/2.toml:4\n"
            "db log = \"none\" b.toml:3\n");
}

// A drop-in is of one file: it may not take over what another file states.
TEST(Merge, ADropInDoesNotOverrideOtherFiles) {
  const ParseResult parsed =
      parse({file("a.toml", "[profile.web]\nlog = \"all\"\n"), file("b.toml", "[profile.db]\n"),
             drop_in("b.toml.d/1.toml", "[profile.web]\nlog = \"none\"\n")});
  ASSERT_EQ(parsed.diagnostics.size(), 1u);
  EXPECT_EQ(parsed.diagnostics[0].where.file, "b.toml.d/1.toml");
}

TEST(Merge, TheModeOfAFileIsThatOfItsDropIns) {
  EXPECT_EQ(statements({file("a.toml", "[profile.web]\n[profile.other]\nmode = \"enforce\"\n"),
                        drop_in("a.toml.d/1.toml", "mode = \"audit\"\n"),
                        file("b.toml", "[profile.db]\n")}),
            "web mode = \"audit\" a.toml.d/1.toml:2\nother mode = \"enforce\" a.toml:4\n"
            "db  =  b.toml:2\n");
  // Of two files that state a profile, those that state no mode say nothing.
  EXPECT_EQ(statements({file("a.toml", "mode = \"audit\"\n[profile.web]\n"),
                        file("b.toml", "[profile.web]\nlog = \"all\"\n")}),
            "web mode = \"audit\" a.toml:2\nweb log = \"all\" b.toml:3\n");
  EXPECT_EQ(parse({file("a.toml", "mode = \"audit\"\n[profile.web]\n"),
                   file("b.toml", "mode = \"enforce\"\n[profile.web]\n")})
                .diagnostics.size(),
            1u);
}

TEST(Merge, SocketRulesOfADropInComeFirst) {
  const Source base =
      file("a.toml", "[[profile.web.socket]]\non = [\"connect\"]\nverdict = \"deny\"\n");
  EXPECT_EQ(statements({base, drop_in("a.toml.d/1.toml",
                                      "[[profile.web.socket]]\non = [\"connect\"]\n"
                                      "verdict = \"allow\"\n")}),
            "web socket[1] = on = [\"connect\"], verdict = \"allow\" a.toml.d/1.toml:2\n"
            "web socket[2] = on = [\"connect\"], verdict = \"deny\" a.toml:2\n");
  EXPECT_EQ(statements({base, drop_in("a.toml.d/1.toml", "[profile.web]\nsocket = []\n")}),
            "web  =  a.toml:2\n");
}

TEST(Merge, ADigestAndARecordTellDropInsApart) {
  const Source plain = file("a", "[profile.web]\n");
  const Source added = drop_in("a", "[profile.web]\n");
  EXPECT_NE(text_digest({plain, plain}), text_digest({plain, added}));
  const auto read = policy_from_line(policy_line({{plain, added}, {}}));
  ASSERT_TRUE(read);
  EXPECT_FALSE(read->sources[0].drop_in);
  EXPECT_TRUE(read->sources[1].drop_in);
}

TEST(Merge, UndefinedProfilesAreNamed) {
  const ParseResult parsed = parse({file("a", "[profile.p]\ncgroups.leave = [\"q\", \"p\"]\n")});
  EXPECT_EQ(parsed.undefined, std::set<std::string>{"q"});
}

TEST(Units, HaveTheCgroupsOfSystemd) {
  EXPECT_EQ(cgroup_of_unit("nginx.service").path, "/system.slice/nginx.service");
  EXPECT_EQ(cgroup_of_unit("getty@tty1.service").path,
            "/system.slice/system-getty.slice/getty@tty1.service");
  EXPECT_EQ(cgroup_of_unit("serial-getty@*.service").path,
            "/system.slice/system-serial\\x2dgetty.slice/serial-getty@*.service");
  EXPECT_EQ(cgroup_of_unit("a-b.slice").path, "/a.slice/a-b.slice");
  EXPECT_EQ(cgroup_of_unit("-.slice").path, "/");
  EXPECT_EQ(cgroup_of_unit("docker-*.scope").path, "/system.slice/docker-*.scope");
  EXPECT_EQ(cgroup_of_unit("a-b.slice/x.service").path, "/a.slice/a-b.slice/x.service");
  EXPECT_EQ(cgroup_of_unit("-.slice/init.scope").path, "/init.scope");
  for (const char* wrong : {"", "nginx", "/x.service", ".service", "a.slice/b.slice", "a/b.service",
                            "a b.service", "a--b.slice", "x.slice/y.slice/z.service"})
    EXPECT_NE(cgroup_of_unit(wrong).mistake, "") << wrong;
}

TEST(Units, BindLikePaths) {
  EXPECT_EQ(statements({file("a.toml", "[profile.web]\nunit = [\"a.service\", \"b.service\"]\n")}),
            "web unit = [\"a.service\", \"b.service\"] a.toml:3\n");
  const LoadResult loaded = load({file("a.toml", "[profile.web]\nunit = \"a.service\"\n")});
  ASSERT_TRUE(loaded.policy);
  ASSERT_EQ(loaded.policy->bindings.size(), 1u);
  EXPECT_EQ(loaded.policy->bindings[0].cgroup, "/system.slice/a.service");
  const LoadResult twice = load({file("a.toml",
                                      "[profile.web]\nunit = \"a.service\"\n"
                                      "cgroup = \"/system.slice/a.service\"\n")});
  ASSERT_EQ(twice.diagnostics.size(), 1u);
  const LoadResult wrong = load({file("a.toml", "[profile.web]\nunit = \"nginx\"\n")});
  ASSERT_EQ(wrong.diagnostics.size(), 1u);
  EXPECT_EQ(wrong.diagnostics[0].message,
            "'nginx' is not a unit: its name has to end in .service, .scope or .slice");
}

// A file may define what a shared file defines too.
TEST(PolicyMerge, TheSameCgroupsMayBeStatedTwice) {
  const char* shared =
      "version = 1\n[profile.a]\ncgroup = [\"/x\", \"/y\"]\nunit = \"b.service\"\n";
  const char* same =
      "version = 1\n[profile.a]\ncgroup = [\"/y\", \"/x\"]\nunit = [\"b.service\"]\n"
      "namespaces.enter = \"none\"\n";
  const LoadResult both = load({{"shared.toml", shared, false}, {"own.toml", same, false}});
  ASSERT_TRUE(both.policy) << render(both.diagnostics.front());
  EXPECT_EQ(both.policy->bindings.size(), 3u);
  const LoadResult other =
      load({{"shared.toml", shared, false},
            {"own.toml", "version = 1\n[profile.a]\ncgroup = \"/x\"\n", false}});
  ASSERT_EQ(other.diagnostics.size(), 1u);
  EXPECT_EQ(other.diagnostics[0].where.place(), "own.toml:3:1");
}

}  // namespace
}  // namespace holdfast::policy
