// SPDX-License-Identifier: Apache-2.0
// Mistakes: each is found, at its place, with a hint.
#include <gtest/gtest.h>

#include <string>

#include "policy/load.h"
#include "policy/suggest.h"

namespace holdfast::policy {
namespace {

// "LINE:COLUMN message [hint]" of each mistake, one a line.
std::string mistakes(const std::string& text) {
  const LoadResult result = load({{"p.toml", text}});
  EXPECT_EQ(result.policy == nullptr, !result.diagnostics.empty());
  std::string found;
  for (const Diagnostic& d : result.diagnostics) {
    found += std::to_string(d.where.line) + ":" + std::to_string(d.where.column) + " " + d.message;
    if (!d.hint.empty()) found += " [" + d.hint + "]";
    found += "\n";
  }
  return found;
}

// The mistakes of one profile's body, which starts at line 3.
std::string in_profile(const std::string& body) {
  return mistakes("version = 1\n[profile.p]\n" + body + "\n[profile.manager]\n");
}

TEST(Diagnostics, RenderTheLineACaretAndAHint) {
  const LoadResult result =
      load({{"web.toml", "version = 1\n[profile.web]\nnamespaces.entr = \"none\"\n"}});
  ASSERT_EQ(result.diagnostics.size(), 1u);
  EXPECT_EQ(render(result.diagnostics[0]),
            "web.toml:3:12: error: unknown key 'entr' in namespaces\n"
            "    3 | namespaces.entr = \"none\"\n"
            "      |            ^~~~\n"
            "      = did you mean 'enter'?\n");
}

TEST(Diagnostics, KeepTheCaretInPlaceAfterTabsAndUtf8) {
  const LoadResult result =
      load({{"p.toml", "version = 1\n[profile.p]\n\tcgroup = [\"/größe\", \"x\"]\n"}});
  ASSERT_EQ(result.diagnostics.size(), 1u);
  EXPECT_EQ(result.diagnostics[0].where.column, 24u);  // in bytes
  EXPECT_EQ(
      render(result.diagnostics[0]),
      "p.toml:3:24: error: 'x' is not a cgroup: it must start with '/', the root of the cgroup "
      "hierarchy\n"
      "    3 | \tcgroup = [\"/größe\", \"x\"]\n"
      "      | \t                    ^~~\n");
}

TEST(Diagnostics, ShowNoControlCharacters) {
  const LoadResult result = load({{"p\x1b[31m.toml", "version = 1\n[profile.\"\\u001b[2J\"]\n"}});
  ASSERT_FALSE(result.diagnostics.empty());
  for (const Diagnostic& diagnostic : result.diagnostics)
    EXPECT_EQ(render(diagnostic).find('\x1b'), std::string::npos);
}

TEST(Diagnostics, FindUnknownKeysWithHints) {
  EXPECT_EQ(mistakes("version = 1\nmod = \"audit\"\n"),
            "2:1 unknown key 'mod' in the policy [did you mean 'mode'?]\n");
  EXPECT_EQ(in_profile("namespace.enter = \"none\""),
            "3:1 unknown key 'namespace' in [profile.p] [did you mean 'namespaces'?]\n");
  EXPECT_EQ(in_profile("cgroups.leaves = []"),
            "3:9 unknown key 'leaves' in cgroups [did you mean 'leave'?]\n");
  EXPECT_EQ(in_profile("frobnicate = 1"), "3:1 unknown key 'frobnicate' in [profile.p]\n");
  EXPECT_EQ(in_profile("bpf.delegate.map = []"),
            "3:14 unknown key 'map' in bpf.delegate [did you mean 'maps'?]\n");
}

TEST(Diagnostics, FindWrongTypes) {
  EXPECT_EQ(in_profile("namespaces.track = \"yes\""),
            "3:20 'track' must be true or false, not a string\n");
  EXPECT_EQ(in_profile("namespaces = 3"), "3:14 'namespaces' must be a table, not an integer\n");
  EXPECT_EQ(in_profile("cgroup = 4"),
            "3:10 'cgroup' must be a string or a list of strings, not an integer\n");
  EXPECT_EQ(in_profile("mark = 1979-05-27"),
            "3:8 'mark' must be a string, not a value that policies do not use\n");
  EXPECT_EQ(in_profile("cgroups.leave = [1]"),
            "3:18 'leave' must be a list of strings; this is an integer\n");
  EXPECT_EQ(in_profile("socket = 1"),
            "3:10 'socket' must be a list of tables: [[profile.NAME.socket]], not an integer\n");
  EXPECT_EQ(mistakes("version = \"1\"\n"), "1:11 'version' must be an integer, not a string\n");
  EXPECT_EQ(mistakes("version = 1\nprofile = []\n"),
            "2:11 'profile' must be a table, not a list\n");
}

TEST(Diagnostics, FindWrongWords) {
  EXPECT_EQ(in_profile("namespaces.enter = \"locked\""),
            "3:20 'enter' must be any, none, lock or own, not 'locked' [did you mean 'lock'?]\n");
  EXPECT_EQ(
      in_profile("namespaces.create = [\"nett\"]"),
      "3:22 'nett' is not mnt, uts, ipc, user, pid, net, cgroup or time [did you mean 'net'?]\n");
  EXPECT_EQ(in_profile("namespaces.create = \"net\""),
            "3:21 'create' must be any, none or a list of mnt, uts, ipc, user, pid, net, cgroup or "
            "time, not 'net' "
            "[write [\"net\"]]\n");
  EXPECT_EQ(in_profile("cgroups.leave = \"manager\""),
            "3:17 'leave' must be any, none or a list of profiles [write [\"manager\"]]\n");
  EXPECT_EQ(in_profile("bpf.delegate.maps = [\"aray\"]"),
            "3:22 the kernel has no 'aray' among its maps [did you mean 'array'?]\n");
}

TEST(Diagnostics, FindUndefinedProfiles) {
  EXPECT_EQ(in_profile("cgroups.leave = [\"manger\", \"p\"]"),
            "3:18 profile 'manger' is not defined [did you mean 'manager'?]\n");
}

TEST(Diagnostics, FindVersionsThatAreMissingOrUnknown) {
  EXPECT_EQ(mistakes(""), "1:1 'version' is missing [start the file with: version = 1]\n");
  EXPECT_EQ(mistakes("version = 2\n"),
            "1:11 version 2 is not supported [this holdfast reads version 1]\n");
}

TEST(Diagnostics, FindWhatIsDefinedTwiceAcrossFiles) {
  const LoadResult result = load(
      {{"a.toml", "version = 1\n[profile.p]\ncgroup = \"/x\"\nmark = \"user.m\"\n"},
       {"b.toml", "version = 1\n[profile.p]\n[profile.q]\ncgroup = \"/x\"\nmark = \"user.m\"\n"}});
  ASSERT_EQ(result.diagnostics.size(), 2u);
  EXPECT_EQ(result.diagnostics[0].message, "cgroup '/x' is bound twice");
  EXPECT_EQ(result.diagnostics[1].message, "mark 'user.m' gives two profiles");
}

// Profiles of a file that cannot be read may exist: naming them is no mistake of the other files.
TEST(Diagnostics, DoNotFollowFromASyntaxErrorElsewhere) {
  const LoadResult result =
      load({{"a.toml", "version = 1\n[profile.manager\n"},
            {"b.toml", "version = 1\n[profile.p]\ncgroups.leave = [\"manager\"]\nmod = 1\n"}});
  ASSERT_EQ(result.diagnostics.size(), 2u);
  EXPECT_EQ(result.diagnostics[0].where.file, "a.toml");
  EXPECT_EQ(result.diagnostics[1].message, "unknown key 'mod' in [profile.p]");
}

TEST(Diagnostics, FindNamesThatCannotBe) {
  EXPECT_EQ(mistakes("version = 1\n[profile.host]\n"),
            "2:10 'host' is a reserved word and cannot name a profile\n");
  EXPECT_EQ(mistakes("version = 1\n[profile.\"a b\"]\n"),
            "2:10 a profile's name is 1 to 64 letters, digits and . _ - @ :\n");
  EXPECT_EQ(in_profile("mark = \"security.x\""),
            "3:8 'security.x' is not a mark [a mark is an extended attribute, user.NAME or "
            "trusted.NAME, of at most 255 bytes]\n");
}

TEST(Diagnostics, FindCgroupsThatCannotBe) {
  const auto cgroup = [](const std::string& path) {
    return in_profile("cgroup = \"" + path + "\"");
  };
  EXPECT_EQ(cgroup("/"), "");
  EXPECT_EQ(cgroup("/a/*/b-*.slice"), "");
  EXPECT_NE(cgroup("a"), "");
  EXPECT_NE(cgroup(""), "");
  EXPECT_NE(cgroup("/a/"), "");
  EXPECT_NE(cgroup("//a"), "");
  EXPECT_NE(cgroup("/a//b"), "");
  EXPECT_NE(cgroup("/a/../b"), "");
  EXPECT_NE(cgroup("/a/./b"), "");
  EXPECT_NE(cgroup("/a\\n"), "");
  EXPECT_NE(cgroup("/" + std::string(256, 'x')), "");
  EXPECT_NE(in_profile("cgroup = []"), "");
}

TEST(Diagnostics, FindRulesThatCanNeverMatch) {
  EXPECT_EQ(in_profile("namespaces.visitors = \"lock\""),
            "3:1 'visitors' can never apply: the profile tracks no namespaces [add "
            "namespaces.track = true]\n");
  EXPECT_EQ(in_profile("namespaces.visitors = \"lock\"\nnamespaces.track = true"), "");
  EXPECT_EQ(in_profile("cgroups.join = []"),
            "3:1 'join' can never apply: the profile holds no cgroup [add cgroup = \"/PATH\"]\n");
  EXPECT_EQ(in_profile("cgroups.leave = []"), "");  // holds for what run starts
}

TEST(Diagnostics, ShowOnlyWhatIsPrintable) {
  Diagnostic diagnostic;
  diagnostic.where = {"p.toml", 1, 9, 1};
  diagnostic.message = "m";
  // é, the control sequence introducer as one character, a stray byte, a lead without its end.
  diagnostic.line = "\xc3\xa9\xc2\x9b\x9b\xe2\x82.x";
  EXPECT_EQ(render(diagnostic),
            "p.toml:1:9: error: m\n"
            "    1 | \xc3\xa9??.x\n"
            "      |     ^\n");
}

TEST(Suggest, CountsEdits) {
  EXPECT_EQ(edit_distance("", "abc"), 3u);
  EXPECT_EQ(edit_distance("abc", "abc"), 0u);
  EXPECT_EQ(edit_distance("net", "nett"), 1u);
  EXPECT_EQ(edit_distance("mnt", "mtn"), 1u);
  EXPECT_EQ(edit_distance("kitten", "sitting"), 3u);
}

TEST(Suggest, IsSilentWhenNothingIsClose) {
  EXPECT_EQ(suggest("foo", std::vector<std::string_view>{"net", "mnt"}), "");
  EXPECT_EQ(suggest("nte", std::vector<std::string_view>{"net", "mnt"}), "did you mean 'net'?");
}

}  // namespace
}  // namespace holdfast::policy
