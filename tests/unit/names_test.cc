// SPDX-License-Identifier: Apache-2.0
// Words and numbers map to each other, and every number of the ABI has a word.
#include "policy/enum_names.h"

#include <gtest/gtest.h>
#include <linux/bpf.h>

#include <set>

#include "policy/bpf_names.h"

namespace holdfast::policy {
namespace {

void expect_one_to_one(Names names) {
  std::set<std::uint32_t> values;
  std::set<std::string_view> texts;
  for (const Name& name : names) {
    EXPECT_TRUE(values.insert(name.value).second) << name.text;
    EXPECT_TRUE(texts.insert(name.text).second) << name.text;
    EXPECT_EQ(value_of(names, name_of(names, name.value)), name.value);
  }
}

TEST(Names, MapBothWays) {
  for (const Names names :
       {Names(kOpNames), Names(kViaNames), Names(kNsTypeNames), Names(kVerdictNames),
        Names(kReasonNames), Names(kSocketOpNames), Names(kFamilyNames), Names(kModeNames),
        Names(kLogNames), Names(kEnterNames), Names(kVisitorsNames), Names(kRequestFlagNames)})
    expect_one_to_one(names);
}

TEST(Names, CoverTheAbi) {
  for (std::uint32_t hook = 1; hook < HF_OP_COUNT; hook++) EXPECT_NE(name_of(kOpNames, hook), "");
  for (std::uint32_t way = 1; way < HF_VIA_COUNT; way++) EXPECT_NE(name_of(kViaNames, way), "");
  for (std::uint32_t bit = 0; bit < HF_NS_COUNT; bit++)
    EXPECT_NE(name_of(kNsTypeNames, 1u << bit), "");
  for (std::uint32_t reason = 0; reason < HF_REASON_COUNT; reason++) {
    EXPECT_NE(name_of(kReasonNames, reason), "");
    EXPECT_NE(describe_reason(reason), "unknown reason");
  }
  EXPECT_EQ(describe_reason(HF_REASON_COUNT), "unknown reason");
}

TEST(Names, UnknownOnesHaveNoWord) {
  EXPECT_EQ(name_of(kOpNames, 99), "");
  EXPECT_EQ(value_of(kOpNames, "frob"), std::nullopt);
  EXPECT_EQ(value_of(kOpNames, ""), std::nullopt);
}

TEST(Names, MasksAreLists) {
  EXPECT_EQ(mask_text(kNsTypeNames, 0), "");
  EXPECT_EQ(mask_text(kNsTypeNames, HF_NS_NET | HF_NS_MNT), "mnt,net");
  EXPECT_EQ(mask_text(kNsTypeNames, HF_NS_NET | 0x300), "net,0x300");
  EXPECT_EQ(list_of(kModeNames), "enforce or audit");
  EXPECT_EQ(list_of(kLogNames), "denials, all or none");
  EXPECT_EQ(errno_name(1), "EPERM");
  EXPECT_EQ(errno_name(11), "EAGAIN");
  EXPECT_EQ(errno_name(4711), "errno 4711");
}

// The header of this machine and our table must not differ where both have a word.
TEST(BpfNames, AreTheKernels) {
  EXPECT_EQ(value_of(kBpfCommandNames, "token_create"), BPF_TOKEN_CREATE);
  EXPECT_EQ(value_of(kBpfCommandNames, "prog_run"), BPF_PROG_TEST_RUN);
  EXPECT_EQ(value_of(kBpfMapNames, "arena"), BPF_MAP_TYPE_ARENA);
  EXPECT_EQ(value_of(kBpfMapNames, "cgrp_storage"), BPF_MAP_TYPE_CGRP_STORAGE);
  EXPECT_EQ(value_of(kBpfProgramNames, "netfilter"), BPF_PROG_TYPE_NETFILTER);
  EXPECT_EQ(value_of(kBpfAttachNames, "trace_kprobe_session"), BPF_TRACE_KPROBE_SESSION);
  for (const std::uint32_t way :
       {HF_VIA_BPF_COMMAND, HF_VIA_BPF_MAP, HF_VIA_BPF_PROGRAM, HF_VIA_BPF_ATTACH})
    EXPECT_FALSE(bpf_names(way).empty());
  EXPECT_TRUE(bpf_names(HF_VIA_SETNS).empty());
}

}  // namespace
}  // namespace holdfast::policy
