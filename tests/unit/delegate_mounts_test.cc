// SPDX-License-Identifier: Apache-2.0
// Delegations as the kernel prints them, from text.
#include <gtest/gtest.h>

#include <algorithm>

#include "delegate/explain.h"
#include "delegate/mounts.h"

namespace holdfast::delegate {
namespace {

TEST(DelegateMounts, FindsBpfFilesystemsAmongMounts) {
  const auto mounts = parse_mountinfo(
      "22 1 0:20 / / rw,relatime - rootfs none rw\n"
      "31 22 0:28 / /sys/fs/bpf rw,nosuid,nodev,noexec shared:5 master:1 - bpf bpf rw,mode=700\n"
      "90 22 0:55 / /run/my\\040bpf rw,nosuid - bpf none "
      "rw,uid=100000,delegate_cmds=map_create:prog_load,delegate_attachs=any\n",
      built_in_vocabulary());
  ASSERT_TRUE(mounts) << mounts.error().message();
  ASSERT_EQ(mounts->size(), 2u);
  EXPECT_TRUE((*mounts)[0].set.empty());
  EXPECT_EQ((*mounts)[1].id, 90u);
  EXPECT_EQ((*mounts)[1].path, "/run/my bpf");
  EXPECT_EQ((*mounts)[1].set[Kind::kCommands], 0x21u);
  EXPECT_EQ((*mounts)[1].set[Kind::kAttachments], ~std::uint64_t{0});
}

TEST(DelegateMounts, RefusesLinesThatAreNotMountinfo) {
  const Vocabulary v = built_in_vocabulary();
  EXPECT_FALSE(parse_mountinfo("nonsense\n", v));
  EXPECT_FALSE(parse_mountinfo("31 22 0:28 / /sys/fs/bpf rw - bpf\n", v));
  EXPECT_FALSE(parse_mountinfo("x 22 0:28 / /sys/fs/bpf rw - bpf bpf rw\n", v));
  EXPECT_FALSE(parse_mountinfo("31 22 0:28 / /sys/fs/bpf rw - bpf bpf rw,delegate_cmds=-1\n", v));
}

TEST(DelegateMounts, ReadsATokensFdinfo) {
  const auto set = parse_token_fdinfo(
      "pos:\t0\nflags:\t02000000\nmnt_id:\t15\nino:\t1\n"
      "allowed_cmds:\t0x40021\nallowed_maps:\t0x4\nallowed_progs:\tany\nallowed_attachs:\t0x0\n");
  ASSERT_TRUE(set) << set.error().message();
  EXPECT_EQ((*set)[Kind::kCommands], 0x40021u);
  EXPECT_EQ((*set)[Kind::kPrograms], ~std::uint64_t{0});
  EXPECT_EQ((*set)[Kind::kAttachments], 0u);
  EXPECT_FALSE(parse_token_fdinfo("pos:\t0\nflags:\t02\n"));
  EXPECT_FALSE(parse_token_fdinfo(
      "allowed_cmds:\t0xg\nallowed_maps:\t0x4\nallowed_progs:\t0x1\nallowed_attachs:\t0x0\n"));
}

Explanation of(std::string_view options) {
  const auto set = parse_options(options, built_in_vocabulary());
  EXPECT_TRUE(set);
  return explain(*set, built_in_vocabulary());
}

bool mentions(const std::vector<std::string>& lines, std::string_view text) {
  return std::ranges::any_of(
      lines, [&](const std::string& line) { return line.find(text) != std::string::npos; });
}

TEST(DelegateExplain, SaysWhatMayBeDone) {
  const Explanation e =
      of("delegate_cmds=map_create:prog_load:btf_load,delegate_maps=array:hash,"
         "delegate_progs=socket_filter:cgroup_skb,delegate_attachs=cgroup_inet_ingress:cgroup_inet_"
         "egress");
  EXPECT_TRUE(mentions(e.may, "load socket_filter and cgroup_skb programs"));
  EXPECT_TRUE(mentions(e.may, "create hash and array maps"));
  EXPECT_TRUE(mentions(e.may_not, "load programs of the other 31 types"));
  EXPECT_TRUE(e.lacking.empty()) << e.lacking[0];
}

TEST(DelegateExplain, WarnsOfWhatReachesTheWholeMachine) {
  const std::string load = "delegate_cmds=prog_load,";
  EXPECT_TRUE(mentions(of(load + "delegate_progs=lsm,delegate_attachs=lsm_mac").warnings,
                       "every task of this machine"));
  EXPECT_TRUE(
      mentions(of(load + "delegate_progs=cgroup_skb,delegate_attachs=cgroup_inet_egress").warnings,
               "root cgroup"));
  EXPECT_TRUE(mentions(of(load + "delegate_progs=xdp").warnings, "network namespace"));
  EXPECT_TRUE(mentions(of(load + "delegate_progs=tracing,delegate_attachs=trace_fentry").warnings,
                       "memory"));
  EXPECT_GE(of("delegate_cmds=any,delegate_maps=any,delegate_progs=any,delegate_attachs=any")
                .warnings.size(),
            8u);
}

TEST(DelegateExplain, DoesNotWarnOfWhatCannotBeLoaded) {
  EXPECT_TRUE(of("delegate_progs=lsm,delegate_attachs=lsm_mac").warnings.empty()) << "no prog_load";
  EXPECT_TRUE(of("delegate_cmds=prog_load,delegate_progs=lsm").warnings.empty())
      << "no attach type";
  EXPECT_TRUE(of("delegate_cmds=map_create,delegate_maps=array").warnings.empty());
}

TEST(DelegateExplain, SaysWhatIsLacking) {
  const Explanation e = of("delegate_progs=cgroup_skb,delegate_maps=hash");
  EXPECT_TRUE(mentions(e.lacking, "prog_load"));
  EXPECT_TRUE(mentions(e.lacking, "map_create"));
  EXPECT_TRUE(mentions(e.lacking, "cgroup_inet_ingress"));
  EXPECT_TRUE(mentions(e.may_not, "load any programs"));
}

}  // namespace
}  // namespace holdfast::delegate
