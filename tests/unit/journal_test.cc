// SPDX-License-Identifier: Apache-2.0
// Entries of the journal: the encoding, and what a decision says.
#include <gtest/gtest.h>

#include <algorithm>
#include <cstring>

#include "daemon/journal_entry.h"
#include "kernel/sockets/journal.h"
#include "policy/load.h"

namespace {

using holdfast::kernel::journal_entry;
using holdfast::kernel::JournalField;

TEST(JournalEntry, IsALineForEachField) {
  EXPECT_EQ(journal_entry({{"MESSAGE", "a=b"}, {"PRIORITY", ""}}), "MESSAGE=a=b\nPRIORITY=\n");
}

// A task may call itself anything, another field too.
TEST(JournalEntry, GivesTheLengthOfAValueWithLines) {
  const std::string value = "x\nPRIORITY=0";
  const std::string wanted = std::string("HOLDFAST_COMM\n\x0c\0\0\0\0\0\0\0", 22) + value + "\n";
  EXPECT_EQ(journal_entry({{"HOLDFAST_COMM", value}}), wanted);
}

TEST(JournalFields, NameTheRuleAndTheTask) {
  const auto loaded = holdfast::policy::load({{"web.toml",
                                               "version = 1\n[profile.web]\ncgroup = \"/web\"\n"
                                               "cgroups.leave = []\n"}});
  ASSERT_TRUE(loaded.policy);
  hf_event event = {};
  event.id = 7;
  event.actor.tgid = 42;
  std::strcpy(event.actor.comm, "mv\nit");
  event.request.op = HF_OP_CGROUP_ATTACH;
  event.request.src_chain[0] = 1;
  event.verdict.action = HF_DENY;
  event.verdict.error = 1;
  event.verdict.profile = 1;
  event.verdict.rule = loaded.policy->tables->profiles[1].rules[HF_RULE_CG_LEAVE];
  const auto fields = holdfast::daemon::journal_fields(event, *loaded.policy, {"/web", ""}, "text");
  const auto value = [&](std::string_view name) {
    const auto at = std::ranges::find(fields, name, &JournalField::name);
    return at == fields.end() ? "(absent)" : at->value;
  };
  EXPECT_EQ(value("PRIORITY"), "4");
  EXPECT_EQ(value("HOLDFAST_EVENT"), "7");
  EXPECT_EQ(value("HOLDFAST_PROFILE"), "web");
  EXPECT_EQ(value("HOLDFAST_RULE"), "web.toml:4:1");
  EXPECT_EQ(value("HOLDFAST_COMM"), "mv\nit");
  EXPECT_EQ(value("HOLDFAST_PID"), "42");
  EXPECT_EQ(value("HOLDFAST_SOURCE"), "/web");
  EXPECT_EQ(value("HOLDFAST_TARGET"), "(absent)");
  event.verdict.mode = HF_MODE_AUDIT;
  const auto audited = holdfast::daemon::journal_fields(event, *loaded.policy, {}, "text");
  EXPECT_EQ(std::ranges::find(audited, "PRIORITY", &JournalField::name)->value, "5");
}

}  // namespace
