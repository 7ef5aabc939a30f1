// SPDX-License-Identifier: Apache-2.0
// What is accepted: the whole language, the examples, and every example of the documentation.
#include <gtest/gtest.h>

#include <filesystem>
#include <set>
#include <sstream>
#include <string>

#include "policy/bpf_names.h"
#include "policy/cgroup_path.h"
#include "policy/load.h"
#include "policy/rate.h"
#include "policy/stated.h"
#include "policy/tables.h"

namespace holdfast::policy {
namespace {

std::unique_ptr<const Compiled> must_load(const std::string& name, const std::string& text) {
  LoadResult result = load({{name, text}});
  for (const Diagnostic& diagnostic : result.diagnostics) ADD_FAILURE() << render(diagnostic);
  if (result.policy != nullptr) {
    EXPECT_TRUE(static_cast<bool>(validate_tables(result.policy->tables.get(), sizeof(hf_tables))));
  }
  return std::move(result.policy);
}

const hf_profile& profile(const Compiled& policy, std::string_view name) {
  return policy.tables->profiles[policy.find_profile(name).value()];
}

// The ```toml blocks of a Markdown file.
std::vector<std::string> toml_blocks(const std::string& text) {
  std::vector<std::string> blocks;
  std::istringstream lines(text);
  std::string line;
  bool inside = false;
  while (std::getline(lines, line)) {
    if (line == "```toml") {
      inside = true;
      blocks.emplace_back();
    } else if (line == "```") {
      inside = false;
    } else if (inside) {
      blocks.back() += line + "\n";
    }
  }
  return blocks;
}

TEST(Documentation, EveryExampleIsAPolicy) {
  std::size_t found = 0;
  for (const char* file :
       {"docs/policy.md", "docs/coming-from.md", "docs/profiles.md", "README.md"}) {
    const auto source = read_source(std::string(HOLDFAST_SOURCE_DIR "/") + file);
    ASSERT_TRUE(static_cast<bool>(source)) << source.error().message();
    for (const std::string& block : toml_blocks(source->text)) {
      // A fragment that leaves the version out shows something else of a whole file.
      const bool whole = block.find("version") != std::string::npos;
      EXPECT_NE(must_load(file, whole ? block : "version = 1\n" + block), nullptr);
      found++;
    }
  }
  EXPECT_GE(found, 6u);
}

TEST(Examples, ArePoliciesThatExplainThemselves) {
  std::size_t found = 0;
  for (const auto& entry : std::filesystem::directory_iterator(HOLDFAST_SOURCE_DIR "/examples")) {
    if (entry.path().extension() != ".toml") continue;
    const auto source = read_source(entry.path().string());
    ASSERT_TRUE(static_cast<bool>(source));
    EXPECT_TRUE(source->text.starts_with("# SPDX-License-Identifier: Apache-2.0\n#"))
        << entry.path();
    EXPECT_NE(must_load(entry.path().string(), source->text), nullptr);
    found++;
  }
  EXPECT_GE(found, 4u);
}

TEST(Compile, NobodyIsUnrestricted) {
  const auto policy = must_load("p.toml", "version = 1\nmode = \"audit\"\n[profile.p]\n");
  const hf_profile& nobody = policy->tables->profiles[0];
  EXPECT_EQ(nobody.ns_create, HF_NS_ALL);
  EXPECT_EQ(nobody.ns_enter, HF_ENTER_ANY);
  EXPECT_EQ(nobody.mode, HF_MODE_ENFORCE);
  EXPECT_TRUE(stated_rules(*policy).empty());
}

TEST(Compile, ModeAndLogComeFromTheProfileOrElseItsFile) {
  const LoadResult result =
      load({{"a.toml",
             "version = 1\nmode = \"audit\"\nlog = \"none\"\n[profile.a]\n[profile.b]\nmode = "
             "\"enforce\"\nlog = \"all\"\n"},
            {"b.toml", "version = 1\n[profile.c]\n"}});
  ASSERT_NE(result.policy, nullptr);
  EXPECT_EQ(profile(*result.policy, "a").mode, HF_MODE_AUDIT);
  EXPECT_EQ(profile(*result.policy, "a").log, HF_LOG_NONE);
  EXPECT_EQ(profile(*result.policy, "b").mode, HF_MODE_ENFORCE);
  EXPECT_EQ(profile(*result.policy, "b").log, HF_LOG_ALL);
  EXPECT_EQ(profile(*result.policy, "c").mode, HF_MODE_ENFORCE);
  EXPECT_EQ(profile(*result.policy, "c").log, HF_LOG_DENIALS);
}

TEST(Compile, EqualListsOfMoversAreStoredOnce) {
  const auto policy = must_load("p.toml", R"(version = 1
[profile.a]
cgroup = "/a"
cgroups = { leave = ["m", "a"], join = ["a", "m"], inside = [] }
[profile.b]
cgroups.leave = []
[profile.m]
)");
  EXPECT_EQ(policy->tables->mover_set_count, 2u);
  EXPECT_EQ(profile(*policy, "a").leave_set, profile(*policy, "a").join_set);
}

TEST(Compile, RulesKnowTheirPlaceAndText) {
  const auto policy =
      must_load("p.toml", "version = 1\n[profile.web]\n  namespaces . enter = \"none\"  # no\n");
  const Rule& rule = policy->rules[profile(*policy, "web").rules[HF_RULE_NS_ENTER]];
  EXPECT_EQ(rule.where.place(), "p.toml:3:3");
  EXPECT_EQ(rule.key, "namespaces.enter");
  EXPECT_EQ(rule.text, "\"none\"");
  EXPECT_EQ(rule.profile, "web");
}

TEST(Compile, LabelsAndMarksAreKept) {
  const auto policy = must_load("p.toml", R"(version = 1
[profile.p]
mark = "trusted.m"
label = { set = ["user.a"], inherit = true }
[profile.q]
)");
  ASSERT_EQ(policy->marks.size(), 1u);
  EXPECT_EQ(policy->marks[0].name, "trusted.m");
  EXPECT_TRUE(policy->label_rights[1].ruled);
  EXPECT_TRUE(policy->label_rights[1].inherit);
  EXPECT_FALSE(policy->label_rights[2].ruled);
}

TEST(Compile, WhoMayAskForAProfileIsKept) {
  const auto policy = must_load("p.toml", R"(version = 1
[profile.p]
annotation = true
[profile.q]
annotation = ["crun", "runc"]
[profile.r]
annotation = false
[profile.s]
)");
  ASSERT_EQ(policy->asked_by.size(), 5u);
  EXPECT_FALSE(policy->asked_by[HF_NO_PROFILE].any);
  EXPECT_TRUE(policy->asked_by[1].any);
  EXPECT_FALSE(policy->asked_by[2].any);
  EXPECT_EQ(policy->asked_by[2].runtimes, (std::vector<std::string>{"crun", "runc"}));
  EXPECT_FALSE(policy->asked_by[3].any);
  EXPECT_TRUE(policy->asked_by[3].runtimes.empty());
  EXPECT_FALSE(policy->asked_by[4].any);
  for (const char* wrong : {"\"crun\"", "[]", "[\"/usr/bin/crun\"]", "[\"\"]", "1", "[1]"}) {
    const std::string text = std::string("version = 1\n[profile.p]\nannotation = ") + wrong + "\n";
    EXPECT_FALSE(load({{"p.toml", text}}).policy) << wrong;
  }
}

TEST(Stated, NamesTheKindsThatRestrict) {
  const auto policy = must_load("p.toml", R"(version = 1
[profile.p]
cgroup = "/p"
mark = "user.m"
namespaces = { create = [], enter = "lock", track = true, visitors = "lock" }
cgroups = { leave = [], join = [], inside = "delegated" }
label = { set = [] }
bpf.delegate.maps = []
[[profile.p.socket]]
on = ["bind"]
verdict = "deny"
[profile.q]
namespaces = { create = "any", enter = "any" }
cgroups.leave = "any"
)");
  std::set<std::string_view> kinds;
  for (const StatedRule& rule : stated_rules(*policy)) kinds.insert(rule.kind);
  EXPECT_EQ(kinds, (std::set<std::string_view>{"namespaces.create", "namespaces.enter",
                                               "namespaces.visitors", "trace", "cgroups.leave",
                                               "cgroups.join", "cgroups.inside", "mark", "socket",
                                               "label", "bpf.delegate"}));
  EXPECT_TRUE(stated_rules(*policy, policy->find_profile("q")).empty());
}

TEST(Rate, IsReadOrRefused) {
  const auto rate = parse_rate("20/s burst 40");
  ASSERT_TRUE(rate.has_value());
  EXPECT_EQ(rate->tokens, 20u);
  EXPECT_EQ(rate->period_ns, 1'000'000'000u);
  EXPECT_EQ(rate->burst, 40u);
  EXPECT_EQ(parse_rate("7/min")->burst, 7u);
  EXPECT_EQ(parse_rate("7/h")->period_ns, 3'600'000'000'000u);
  EXPECT_TRUE(parse_rate("1000000/s burst 1000000").has_value());
  for (const char* wrong :
       {"", "20", "20/", "/s", "0/s", "-1/s", "20/ms", "20/s burst", "20/s burst 0", "20/sburst 4",
        "20/s burst 4 x", "1000001/s", "99999999999/s", "20/s40", "20 /s"})
    EXPECT_FALSE(parse_rate(wrong).has_value()) << wrong;
}

TEST(CgroupPath, PatternsMatchWithinOneComponent) {
  EXPECT_TRUE(component_matches("a", "a"));
  EXPECT_TRUE(component_matches("*", ""));
  EXPECT_TRUE(component_matches("user-*.slice", "user-1000.slice"));
  EXPECT_TRUE(component_matches("*a*b*", "xaxxbx"));
  EXPECT_TRUE(component_matches("a*a", "aaa"));
  EXPECT_FALSE(component_matches("a*a", "a"));
  EXPECT_FALSE(component_matches("*a*b*", "xbxa"));
  EXPECT_FALSE(component_matches("", "a"));
  EXPECT_TRUE(component_matches(std::string(100, '*') + "b", std::string(250, 'a') + "b"));
}

TEST(CgroupPath, TheDeepestAndPlainestBindingComesFirst) {
  const auto policy = must_load("p.toml", R"(version = 1
[profile.root]
cgroup = "/"
[profile.star]
cgroup = "/a/*"
[profile.long]
cgroup = "/a/b*"
[profile.plain]
cgroup = "/a/bc"
[profile.deep]
cgroup = "/*/bc/d"
)");
  const auto names = [&](std::string_view path) {
    std::string found;
    for (const std::uint16_t number : profiles_of_cgroup(*policy, path))
      found += policy->profiles[number] + " ";
    return found;
  };
  EXPECT_EQ(names("/"), "root ");
  EXPECT_EQ(names("/a"), "root ");
  EXPECT_EQ(names("/a/x"), "star root ");
  EXPECT_EQ(names("/a/bx"), "long star root ");
  EXPECT_EQ(names("/a/bc"), "plain long star root ");
  EXPECT_EQ(names("/a/bc/d/e"), "deep plain long star root ");
  EXPECT_EQ(names("/ab/bc"), "root ");
}

TEST(Tables, AreValidated) {
  const auto policy = must_load("p.toml", "version = 1\n[profile.p]\ncgroups.leave = []\n");
  const auto broken = [&](auto change) {
    auto tables = std::make_unique<hf_tables>(*policy->tables);
    change(*tables);
    return !validate_tables(tables.get(), sizeof(hf_tables));
  };
  EXPECT_FALSE(broken([](hf_tables&) {}));
  EXPECT_TRUE(broken([](hf_tables& t) { t.magic++; }));
  EXPECT_TRUE(broken([](hf_tables& t) { t.version++; }));
  EXPECT_TRUE(broken([](hf_tables& t) { t.length--; }));
  EXPECT_TRUE(broken([](hf_tables& t) { t.profile_count = 0; }));
  EXPECT_TRUE(broken([](hf_tables& t) { t.profile_count = HF_PROFILE_SLOTS + 1; }));
  EXPECT_TRUE(broken([](hf_tables& t) { t.profiles[0].ns_create = 0; }));
  EXPECT_TRUE(broken([](hf_tables& t) { t.profiles[1].leave_set = 1; }));
  EXPECT_TRUE(broken([](hf_tables& t) { t.profiles[1].ns_enter = 9; }));
  EXPECT_TRUE(broken([](hf_tables& t) { t.profiles[1].socket_count = 1; }));
  EXPECT_TRUE(broken([](hf_tables& t) { t.profiles[1].ns_visitors = HF_VISITORS_LOCK; }));
  EXPECT_TRUE(broken([](hf_tables& t) { t.any_cgroup_rules = 0; }));
  EXPECT_TRUE(broken([](hf_tables& t) { t.mover_sets[0].bits[0] = 1u << 2; }));
  EXPECT_FALSE(static_cast<bool>(validate_tables(policy->tables.get(), 10)));
}

TEST(ReadSource, SaysWhyNot) {
  EXPECT_EQ(read_source("/nonexistent").error().code, ENOENT);
  EXPECT_EQ(read_source("/").error().code, EISDIR);
  EXPECT_EQ(read_source("/dev/zero").error().code, EFBIG);
}

}  // namespace
}  // namespace holdfast::policy
