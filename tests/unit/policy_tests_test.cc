// SPDX-License-Identifier: Apache-2.0
// [[test]] tables: what they expect, and what no test reaches.
#include <gtest/gtest.h>

#include "explain/policy_test.h"
#include "policy/policy_text.h"

namespace holdfast::policy {
namespace {

TestReport run(const std::string& text) {
  const ReadPolicy policy = read_policy({{{"p.toml", text, false}}, {}});
  for (const Diagnostic& diagnostic : policy.diagnostics) ADD_FAILURE() << render(diagnostic);
  return policy.compiled ? run_policy_tests(policy.model, *policy.compiled) : TestReport();
}

constexpr char kPolicy[] =
    "version = 1\n[profile.web]\ncgroup = \"/web\"\nmode = \"audit\"\n"
    "namespaces.enter = \"none\"\ncgroups.leave = [\"manager\"]\nnamespaces.track = true\n"
    "[profile.manager]\ncgroup = \"/init\"\n";

TEST(PolicyTests, PassAndFail) {
  const TestReport report = run(std::string(kPolicy) + R"(
[[test]]
name = "stays in"
request = ["profile=web hook=namespace_install type=net target=host", "profile=web way=setns type=mnt target=host"]
expect = "deny"
line = "namespaces.enter"
[[test]]
request = "mover=none hook=cgroup_attach src=/web dst=/other"
expect = "deny"
line = "enter"
[[test]]
request = "mover=manager hook=cgroup_attach src=/web dst=/other"
expect = "deny"
[[test]]
request = "profile=nobody hook=trace"
expect = "allow"
)");
  ASSERT_EQ(report.outcomes.size(), 5u);
  EXPECT_TRUE(report.outcomes[0].passed);  // audit or not
  EXPECT_TRUE(report.outcomes[1].passed);
  EXPECT_FALSE(report.outcomes[2].passed);
  EXPECT_EQ(report.outcomes[2].mistake,
            "expected deny by enter, got deny: this mover may not take tasks out of the profile's "
            "cgroup (p.toml:6:1 cgroups.leave = [\"manager\"])");
  EXPECT_FALSE(report.outcomes[3].passed);
  EXPECT_FALSE(report.outcomes[3].broken);
  EXPECT_TRUE(report.outcomes[4].broken);
  EXPECT_EQ(report.outcomes[4].where.line, 24u);
}

TEST(PolicyTests, NameTheRulesThatNoneReaches) {
  const TestReport none = run(kPolicy);
  ASSERT_EQ(none.unreached.size(), 2u);
  EXPECT_EQ(none.unreached[0].key, "namespaces.enter");
  EXPECT_EQ(none.unreached[1].key, "cgroups.leave");
  EXPECT_EQ(none.rules, 2u);
  const TestReport one = run(std::string(kPolicy) +
                             "[[test]]\nrequest = \"profile=web way=setns type=net target=host\"\n"
                             "expect = \"deny\"\n");
  ASSERT_EQ(one.unreached.size(), 1u);
  EXPECT_EQ(one.unreached[0].key, "cgroups.leave");
}

TEST(PolicyTests, MistakesAreThoseOfThePolicy) {
  const LoadResult loaded = load({{"p.toml",
                                   "version = 1\n[[test]]\nrequest = \"x\"\nexpect = \"dney\"\n"
                                   "[[test]]\nlin = 1\n",
                                   false}});
  std::string text;
  for (const Diagnostic& diagnostic : loaded.diagnostics)
    text += diagnostic.message + " [" + diagnostic.hint + "]\n";
  EXPECT_EQ(text,
            "'expect' must be allow, deny, lock or limit, not 'dney' [did you mean 'deny'?]\n"
            "a test needs 'request' [request = \"profile=web hook=namespace_install type=net "
            "target=host\"]\n"
            "a test needs 'expect' [expect = \"deny\"]\n"
            "unknown key 'lin' in a test [did you mean 'line'?]\n");
}

}  // namespace
}  // namespace holdfast::policy
