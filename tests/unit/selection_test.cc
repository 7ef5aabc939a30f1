// SPDX-License-Identifier: Apache-2.0
// Which programs about namespaces are used on which kernel: by its type information, here made up.
#include "backend/lsm/selection.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "kernel/bpf/btf.h"

namespace holdfast::backend::lsm {
namespace {

// A kernel that has these functions and no others.
kernel::KernelTypes kernel_with(const std::vector<std::string>& functions) {
  btf* types = btf__new_empty();
  const int prototype = btf__add_func_proto(types, 0);
  for (const std::string& function : functions)
    btf__add_func(types, function.c_str(), BTF_FUNC_GLOBAL, prototype);
  return kernel::KernelTypes::of(types);
}

const std::vector<std::string> kStandIns = {"bpf_lsm_capable", "utsns_install", "__ns_common_init",
                                            "__ns_common_free"};

kernel::KernelTypes with_stand_ins_and(std::vector<std::string> functions) {
  functions.insert(functions.end(), kStandIns.begin(), kStandIns.end());
  return kernel_with(functions);
}

struct Use {
  bool capable, captures, records, frees;  // what stands in
  bool native_install, native_init, native_alloc, native_free;
  bool operator==(const Use&) const = default;
};
constexpr Use kBridged = {true, true, true, true, false, false, false, false};

Use use_on(const kernel::KernelTypes& types) {
  const auto used = [&types](const char* section, const char* program) {
    return is_used_here(section, program, types);
  };
  return {.capable = used("lsm/capable", "ns_capable"),
          .captures = used("fentry/utsns_install", "hf_utsns_install1"),
          .records = used("fexit/__ns_common_init", "ns_common_init1"),
          .frees = used("fentry/__ns_common_free", "ns_common_free1"),
          .native_install = used("lsm/namespace_install", "ns_native_install"),
          .native_init = used("lsm/namespace_init", "ns_native_init"),
          .native_alloc = used("lsm/namespace_alloc", "ns_native_alloc"),
          .native_free = used("lsm/namespace_free", "ns_native_free")};
}

TEST(Selection, WhatStandsInIsUsedWithoutTheHooks) {
  EXPECT_EQ(use_on(with_stand_ins_and({})), kBridged);
}

TEST(Selection, TheHooksOfLinux74TakeThePlaceOfAllThatStandsIn) {
  const auto types = with_stand_ins_and(
      {"bpf_lsm_namespace_install", "bpf_lsm_namespace_init", "bpf_lsm_namespace_free"});
  EXPECT_TRUE(asks_natively(types));
  EXPECT_EQ(use_on(types), (Use{false, false, false, false, true, true, false, true}));
}

TEST(Selection, TheHooksAsFirstProposedDoSoUnderTheOtherName) {
  const auto types = with_stand_ins_and(
      {"bpf_lsm_namespace_install", "bpf_lsm_namespace_alloc", "bpf_lsm_namespace_free"});
  EXPECT_TRUE(asks_natively(types));
  EXPECT_EQ(use_on(types), (Use{false, false, false, false, true, false, true, true}));
}

TEST(Selection, APartOfTheHooksIsNotUsed) {
  for (const std::vector<std::string>& part :
       {std::vector<std::string>{"bpf_lsm_namespace_install", "bpf_lsm_namespace_init"},
        {"bpf_lsm_namespace_install", "bpf_lsm_namespace_free"},
        {"bpf_lsm_namespace_init", "bpf_lsm_namespace_free"}}) {
    const auto types = with_stand_ins_and(part);
    EXPECT_FALSE(asks_natively(types)) << part[0] << " " << part[1];
    EXPECT_EQ(use_on(types), kBridged);
  }
}

}  // namespace
}  // namespace holdfast::backend::lsm
