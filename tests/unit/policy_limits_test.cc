// SPDX-License-Identifier: Apache-2.0
// Limits are diagnostics, at the limit all is well, and no input breaks the reader.
#include <gtest/gtest.h>

#include <string>

#include "policy/load.h"
#include "policy/tables.h"

namespace holdfast::policy {
namespace {

std::string first_mistake(const std::string& text) {
  const LoadResult result = load({{"p.toml", text}});
  if (result.policy != nullptr) {
    EXPECT_TRUE(static_cast<bool>(validate_tables(result.policy->tables.get(), sizeof(hf_tables))));
    return "";
  }
  return result.diagnostics.at(0).message;
}

std::string profiles(unsigned count) {
  std::string text = "version = 1\n";
  for (unsigned i = 0; i < count; i++) text += "[profile.p" + std::to_string(i) + "]\n";
  return text;
}

TEST(Limits, Profiles) {
  EXPECT_EQ(first_mistake(profiles(1024)), "");
  EXPECT_EQ(first_mistake(profiles(1025)), "more than 1024 profiles");
}

std::string socket_rules(unsigned profile_count, unsigned rules_each) {
  std::string text = "version = 1\n";
  for (unsigned p = 0; p < profile_count; p++) {
    for (unsigned i = 0; i < rules_each; i++)
      text += "[[profile.p" + std::to_string(p) +
              ".socket]]\non = [\"connect\"]\nlabel = { \"user.x\" = \"" + std::to_string(i) +
              "\" }\nverdict = \"deny\"\n";
  }
  return text;
}

TEST(Limits, SocketRules) {
  EXPECT_EQ(first_mistake(socket_rules(1, 256)), "");
  EXPECT_EQ(first_mistake(socket_rules(1, 257)), "more than 256 socket rules in one profile");
  EXPECT_EQ(first_mistake(socket_rules(16, 256)), "");
  EXPECT_EQ(first_mistake(socket_rules(17, 256)), "more than 4096 socket rules");
}

std::string label_names(unsigned count) {
  std::string text = "version = 1\n";
  for (unsigned i = 0; i < count; i++)
    text += "[[profile.p.socket]]\non = [\"connect\"]\nlabel = { \"user.x" + std::to_string(i) +
            "\" = \"*\" }\nverdict = \"deny\"\n";
  return text;
}

TEST(Limits, LabelNames) {
  EXPECT_EQ(first_mistake(label_names(16)), "");
  EXPECT_EQ(first_mistake(label_names(17)), "more than 16 different label names");
}

std::string conditions(unsigned count) {
  std::string text =
      "version = 1\n[[profile.p.socket]]\non = [\"connect\"]\nverdict = \"deny\"\nlabel = {";
  for (unsigned i = 0; i < count; i++)
    text += (i > 0 ? ", " : " ") + std::string("\"user.x") + std::to_string(i) + "\" = \"*\"";
  return text + " }\n";
}

TEST(Limits, ConditionsOfOneRule) {
  EXPECT_EQ(first_mistake(conditions(4)), "");
  EXPECT_EQ(first_mistake(conditions(5)), "'label' has more than 4 conditions");
}

std::string cgroups(unsigned count) {
  std::string text = "version = 1\n[profile.p]\ncgroup = [\n";
  for (unsigned i = 0; i < count; i++) text += "\"/c" + std::to_string(i) + "\",\n";
  return text + "]\n";
}

TEST(Limits, Bindings) {
  EXPECT_EQ(first_mistake(cgroups(65536)), "");
  EXPECT_EQ(first_mistake(cgroups(65537)), "more than 65536 cgroups");
}

std::string nested(unsigned depth) {
  std::string text = "version = 1\n";
  std::string path;
  for (unsigned i = 0; i < depth; i++) {
    path += "/a";
    text += "[profile.p" + std::to_string(i) + "]\ncgroup = \"" + path + "\"\n";
  }
  return text;
}

TEST(Limits, Nesting) {
  EXPECT_EQ(first_mistake(nested(8)), "");
  EXPECT_EQ(first_mistake(nested(9)),
            "'/a/a/a/a/a/a/a/a/a' lies in 9 bound cgroups; the limit is 8");
  EXPECT_EQ(first_mistake(nested(8) + "[profile.star]\ncgroup = \"/*/a\"\n"),
            "'/a/a/a/a/a/a/a/a' lies in 9 bound cgroups; the limit is 8");
}

TEST(Limits, MoverSets) {
  // 1024 profiles, each with a list of its own, and one more list.
  std::string text = "version = 1\n";
  for (unsigned i = 0; i < 1024; i++)
    text +=
        "[profile.p" + std::to_string(i) + "]\ncgroups.leave = [\"p" + std::to_string(i) + "\"]\n";
  EXPECT_EQ(first_mistake(text), "");
  EXPECT_EQ(first_mistake(text + "cgroup = \"/x\"\ncgroups.join = [\"p0\", \"p1\"]\n"),
            "more than 1024 different lists of movers");
}

TEST(Input, TooLargeIsRefused) {
  EXPECT_EQ(first_mistake(std::string((4u << 20) + 1, '#')), "the file is larger than 4 MiB");
}

TEST(Input, ManyMistakesAreCut) {
  std::string text = "version = 1\n";
  for (int i = 0; i < 5000; i++) text += "k" + std::to_string(i) + " = 1\n";
  const LoadResult result = load({{"p.toml", text}});
  ASSERT_EQ(result.diagnostics.size(), 1001u);
  EXPECT_EQ(result.diagnostics.back().message, "4000 more mistakes after this one");
}

// Each of these has crashed some reader.
TEST(Input, HostileBytesAreMistakes) {
  const std::string inputs[] = {
      std::string("\0", 1),
      std::string("version = 1\0", 12),
      "\xff\xfe\xfd",
      "version = 1\n[profile.\"\xc3\x28\"]\n",
      "\xed\xa0\x80 = 1",
      "[[[a]]]",
      "[[=",
      "[",
      "a = [[[[[[[[",
      "a = " + std::string(100'000, '['),
      "a = " + std::string(100'000, '{'),
      std::string(1'000'000, 'a') + " = 1",
      [] {
        std::string deep = "a";
        for (int i = 0; i < 1'000'000; i++) deep += ".a";
        return deep + " = 1";
      }(),
      "x = \"\"\"\n\xc3\xa9\n\"\"\"",
      "version = 1\xc3\xa9",
      "version = 1\"\xc2\xb9",
      "\xe2\x80\xa8 = 1",
      "a = 99999999999999999999999999",
      "a = 0x",
      "a = 1e",
      "a = \"\\uD800\"",
      "\r",
      "a = 1\rb = 2",
  };
  for (const std::string& input : inputs) {
    const LoadResult result = load({{"p.toml", input}});
    EXPECT_EQ(result.policy, nullptr);
    for (const Diagnostic& diagnostic : result.diagnostics) {
      EXPECT_GE(diagnostic.where.line, 1u);
      EXPECT_GE(diagnostic.where.column, 1u);
      EXPECT_NE(render(diagnostic), "");
    }
  }
}

TEST(Input, WindowsLinesAndAByteOrderMarkAreRead) {
  const LoadResult result =
      load({{"p.toml", "\xef\xbb\xbfversion = 1\r\n[profile.p]\r\nmode = \"audit\"\r\n"}});
  ASSERT_NE(result.policy, nullptr);
  EXPECT_EQ(result.policy->tables->profiles[1].mode, HF_MODE_AUDIT);
  const LoadResult wrong = load({{"p.toml", "version = 1\r\nmod = 1\r\n"}});
  EXPECT_EQ(wrong.diagnostics.at(0).line, "mod = 1");
}

}  // namespace
}  // namespace holdfast::policy
