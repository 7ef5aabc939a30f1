// SPDX-License-Identifier: Apache-2.0
// Delegation sets in words, without a kernel: the built-in vocabulary stands for one.
#include <gtest/gtest.h>
#include <rapidcheck.h>

#include "delegate/set.h"

namespace holdfast::delegate {
namespace {

std::uint64_t bits(std::initializer_list<unsigned> values) {
  std::uint64_t mask = 0;
  for (const unsigned value : values) mask |= std::uint64_t{1} << value;
  return mask;
}

std::uint64_t parsed(Kind kind, std::string_view text) {
  const auto result = parse(kind, text, built_in_vocabulary());
  if (!result) {
    ADD_FAILURE() << text << ": " << result.error().message();
    return 0;
  }
  return result->mask;
}

TEST(DelegateSet, ReadsWordsOfAnyCaseInAnyOrder) {
  EXPECT_EQ(parsed(Kind::kCommands, "prog_load:MAP_CREATE:Btf_Load"), bits({0, 5, 18}));
  EXPECT_EQ(parsed(Kind::kMaps, "ringbuf:array"), bits({2, 27}));
  EXPECT_EQ(parsed(Kind::kAttachments, "cgroup_inet_ingress"), bits({0}));
}

TEST(DelegateSet, ReadsAliases) {
  EXPECT_EQ(parsed(Kind::kCommands, "prog_run"), parsed(Kind::kCommands, "prog_test_run"));
  EXPECT_EQ(parsed(Kind::kMaps, "cgroup_storage"),
            parsed(Kind::kMaps, "cgroup_storage_deprecated"));
}

TEST(DelegateSet, PrintsTheFirstWordOfAValueInTheOrderOfTheEnum) {
  const Vocabulary v = built_in_vocabulary();
  EXPECT_EQ(print(Kind::kCommands, bits({18, 10, 0}), v), "map_create:prog_test_run:btf_load");
  EXPECT_EQ(print(Kind::kMaps, bits({19}), v), "cgroup_storage_deprecated");
}

TEST(DelegateSet, PrintsAnyAndNothing) {
  const Vocabulary v = built_in_vocabulary();
  EXPECT_EQ(print(Kind::kPrograms, ~std::uint64_t{0}, v), "any");
  EXPECT_EQ(print(Kind::kPrograms, v.of(Kind::kPrograms).any, v), "any");
  EXPECT_EQ(print(Kind::kPrograms, 0, v), "");
  EXPECT_EQ(print(Kind::kPrograms, bits({63}), v), "") << "above what the kernel knows";
}

TEST(DelegateSet, AValueWithoutAWordIsPrintedAsANumber) {
  Vocabulary v = built_in_vocabulary();
  auto& words = v.parts[0].words;
  std::erase_if(words, [](const Word& word) { return word.value == 5; });
  EXPECT_EQ(print(Kind::kCommands, bits({0, 5}), v), "map_create:0x20");
  EXPECT_EQ(print(Kind::kCommands, bits({5}), v), "0x20");
}

TEST(DelegateSet, ANumberReplacesWhatStandsBeforeIt) {
  EXPECT_EQ(parsed(Kind::kCommands, "any:0x2"), 2u);
  EXPECT_EQ(parsed(Kind::kCommands, "map_create:0x2:prog_load"), bits({1, 5}));
  const auto result = parse(Kind::kCommands, "map_create:0x2", built_in_vocabulary());
  ASSERT_TRUE(result);
  ASSERT_EQ(result->surprises.size(), 1u);
  EXPECT_NE(result->surprises[0].find("replaces 'map_create'"), std::string::npos);
}

TEST(DelegateSet, ReadsNumbersAsTheKernelDoes) {
  EXPECT_EQ(parsed(Kind::kMaps, "0x10"), 16u);
  EXPECT_EQ(parsed(Kind::kMaps, "0X1f"), 31u);
  EXPECT_EQ(parsed(Kind::kMaps, "010"), 8u);
  EXPECT_EQ(parsed(Kind::kMaps, "+12"), 12u);
  EXPECT_EQ(parsed(Kind::kMaps, "0"), 0u);
  EXPECT_EQ(parsed(Kind::kMaps, "18446744073709551615"), ~std::uint64_t{0});
}

TEST(DelegateSet, RefusesWhatTheKernelRefuses) {
  for (const std::string_view text :
       {"", ":", "map_create:", ":map_create", "a", "-1", "0x", "09", "1 ", "ANY", "Any",
        "18446744073709551616", "bpf_map_create", "map_create,prog_load", "++1"}) {
    const auto result = parse(Kind::kCommands, text, built_in_vocabulary());
    ASSERT_FALSE(result) << text;
    EXPECT_EQ(result.error().code, EINVAL) << text;
  }
}

TEST(DelegateSet, TellsOfBitsThatGrantNothing) {
  const auto result = parse(Kind::kPrograms, "0x8000000000000000", built_in_vocabulary());
  ASSERT_TRUE(result);
  EXPECT_EQ(result->surprises.size(), 1u);
  EXPECT_TRUE(parse(Kind::kPrograms, "any", built_in_vocabulary())->surprises.empty());
}

TEST(DelegateSet, ReadsMountOptions) {
  const auto set =
      parse_options("rw,uid=5,delegate_cmds=prog_load,delegate_maps=hash,delegate_cmds=map_create",
                    built_in_vocabulary());
  ASSERT_TRUE(set);
  EXPECT_EQ((*set)[Kind::kCommands], bits({0, 5}));
  EXPECT_EQ((*set)[Kind::kMaps], bits({1}));
  EXPECT_EQ((*set)[Kind::kPrograms], 0u);
  EXPECT_EQ(print(*set, built_in_vocabulary()),
            "delegate_cmds=map_create:prog_load,delegate_maps=hash");
  EXPECT_FALSE(parse_options("rw,delegate_cmds=nonsense", built_in_vocabulary()));
}

TEST(DelegateSet, WhatIsPrintedReadsBackTheSame) {
  const Vocabulary v = built_in_vocabulary();
  EXPECT_TRUE(rc::check("print, then parse", [&v] {
    Set set;
    for (const Kind kind : kKinds)
      set[kind] = *rc::gen::arbitrary<std::uint64_t>() & v.of(kind).any;
    const auto back = parse_options(print(set, v), v);
    RC_ASSERT(static_cast<bool>(back));
    for (const Kind kind : kKinds) RC_ASSERT(((*back)[kind] & v.of(kind).any) == set[kind]);
  }));
}

TEST(DelegateSet, NoTextCrashesTheParser) {
  const Vocabulary v = built_in_vocabulary();
  EXPECT_TRUE(rc::check("any text", [&v] {
    const auto text =
        *rc::gen::container<std::string>(rc::gen::elementOf(std::string("0x19af_ny:map,=+\n ")));
    const auto result = parse(Kind::kMaps, text, v);
    if (result) RC_ASSERT(!text.empty());
  }));
}

}  // namespace
}  // namespace holdfast::delegate
