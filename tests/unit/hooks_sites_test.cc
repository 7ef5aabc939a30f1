// SPDX-License-Identifier: Apache-2.0
// What is used on which kernel: chosen by the kernel's type information, here made up.
#include "hooks/hooks_sites.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <initializer_list>
#include <memory>
#include <string>

namespace holdfast::hooks {
namespace {

constexpr int kPointerBits = 64;

// The type information of a kernel that has only what a test puts in.
class KernelBtf {
 public:
  KernelBtf() : types_(btf__new_empty(), &btf__free) {
    number_ = btf__add_int(types_.get(), "unsigned int", 4, 0);
    prototype_ = btf__add_func_proto(types_.get(), number_);
  }

  void functions(std::initializer_list<const char*> names) {
    for (const char* name : names) {
      btf__add_func(types_.get(), name, BTF_FUNC_GLOBAL, prototype_);
    }
  }
  // One that returns a pointer to a struct whose member `ns` is that many bytes into it.
  void maker(const char* name, const std::string& result, int ns_offset) {
    const int returned = namespace_struct(result, ns_offset);
    const int proto = btf__add_func_proto(types_.get(), btf__add_ptr(types_.get(), returned));
    btf__add_func_param(types_.get(), "flags", number_);
    btf__add_func_param(types_.get(), "user_ns", number_);
    btf__add_func(types_.get(), name, BTF_FUNC_GLOBAL, proto);
  }
  int structure(const char* name, const char* member, int bytes) {
    const int id =
        btf__add_struct(types_.get(), name, static_cast<__u32>(bytes) + kPointerBits / 8);
    btf__add_field(types_.get(), member, number_, static_cast<__u32>(bytes) * 8, 0);
    return id;
  }
  int namespace_struct(const std::string& name, int ns_offset) {
    return structure(name.c_str(), "ns", ns_offset);
  }
  void variable(const char* name) {
    btf__add_var(types_.get(), name, BTF_VAR_GLOBAL_ALLOCATED, number_);
  }

  [[nodiscard]] Offer offer(Hook hook) const { return find_offer(types_.get(), hook); }

 private:
  std::unique_ptr<btf, decltype(&btf__free)> types_;
  int number_;
  int prototype_;
};

void add_installs(KernelBtf& kernel) {
  kernel.functions({"utsns_install", "ipcns_install", "netns_install", "mntns_install",
                    "pidns_install", "cgroupns_install", "timens_install", "userns_install"});
}

void add_moves(KernelBtf& kernel) {
  kernel.functions(
      {"cgroup_procs_write_start", "cgroup_procs_write_finish", "cgroup_attach_permissions"});
}

void add_makers_by_type(KernelBtf& kernel) {
  kernel.maker("copy_utsname", "uts_namespace", 8);
  kernel.maker("copy_ipcs", "ipc_namespace", 16);
  kernel.maker("copy_pid_ns", "pid_namespace", 24);
  kernel.maker("copy_net_ns", "net", 32);
  kernel.maker("copy_mnt_ns", "mnt_namespace", 0);
  kernel.maker("copy_cgroup_ns", "cgroup_namespace", 48);
  kernel.maker("copy_time_ns", "time_namespace", 56);
  kernel.structure("cred", "user_ns", 120);
  kernel.namespace_struct("user_namespace", 72);
  kernel.functions({"create_user_ns"});
}

const Site* site_at(const Offer& offer, const std::string& function) {
  const auto found = std::ranges::find(offer.sites, function, &Site::function);
  return found == offer.sites.end() ? nullptr : &*found;
}

TEST(HooksSites, NativeWhereTheKernelHasTheHook) {
  for (Hook hook : kHooks) {
    KernelBtf kernel;
    add_installs(kernel);
    add_moves(kernel);
    kernel.functions({"__ns_common_init", "__ns_common_free"});
    kernel.functions({("bpf_lsm_" + std::string(hook_name(hook))).c_str()});
    for (Hook other : kHooks) {
      EXPECT_EQ(kernel.offer(other).state,
                other == hook ? Offer::State::kNative : Offer::State::kBridged)
          << hook_name(other);
    }
    EXPECT_TRUE(kernel.offer(hook).sites.empty());
  }
}

TEST(HooksSites, AHookOfAnotherNameIsNotNative) {
  KernelBtf kernel;
  add_installs(kernel);
  kernel.functions({"bpf_lsm_namespace_installed", "namespace_install"});
  EXPECT_EQ(kernel.offer(Hook::kInstall).state, Offer::State::kBridged);
}

TEST(HooksSites, InstallTakesAllEightOrNone) {
  KernelBtf kernel;
  kernel.functions({"utsns_install", "ipcns_install", "netns_install", "mntns_install",
                    "pidns_install", "cgroupns_install", "userns_install"});
  const Offer lacking = kernel.offer(Hook::kInstall);
  EXPECT_EQ(lacking.state, Offer::State::kUnavailable);
  EXPECT_NE(lacking.how.find("timens_install"), std::string::npos) << lacking.how;
  EXPECT_TRUE(lacking.sites.empty());
  kernel.functions({"timens_install"});
  const Offer whole = kernel.offer(Hook::kInstall);
  EXPECT_EQ(whole.state, Offer::State::kBridged);
  ASSERT_EQ(whole.sites.size(), 8u);
  for (const Site& site : whole.sites) {
    EXPECT_EQ(site.attach, BPF_TRACE_FENTRY);
    EXPECT_EQ(site.copies, 4);
    EXPECT_GT(site.checks, 0u) << site.function;
    EXPECT_NE(site.ns_type, 0u) << site.function;
  }
}

TEST(HooksSites, AllocByTheOneFunctionWhereThereIsOne) {
  KernelBtf kernel;
  add_makers_by_type(kernel);
  kernel.functions({"__ns_common_init"});
  const Offer offer = kernel.offer(Hook::kAlloc);
  ASSERT_EQ(offer.sites.size(), 1u);
  EXPECT_EQ(offer.sites[0].function, "__ns_common_init");
  EXPECT_EQ(offer.sites[0].attach, BPF_TRACE_FEXIT);
}

TEST(HooksSites, AllocByTypeElsewhereWithTheOffsetsOfThisKernel) {
  KernelBtf kernel;
  add_makers_by_type(kernel);
  const Offer offer = kernel.offer(Hook::kAlloc);
  EXPECT_EQ(offer.state, Offer::State::kBridged) << offer.how;
  ASSERT_EQ(offer.sites.size(), 8u);
  const Site* pid = site_at(offer, "copy_pid_ns");
  ASSERT_NE(pid, nullptr);
  EXPECT_EQ(pid->arguments[0].offset, 24);
  const Site* user = site_at(offer, "create_user_ns");
  ASSERT_NE(user, nullptr);
  EXPECT_EQ(user->arguments[0].via, 120);
  EXPECT_EQ(user->arguments[0].offset, 72);
}

TEST(HooksSites, FreeByTheNumberWhereTheKernelHasNoMore) {
  KernelBtf kernel;
  kernel.structure("ns_common", "inum", 16);
  kernel.functions({"proc_free_inum"});
  const Offer by_number = kernel.offer(Hook::kFree);
  ASSERT_EQ(by_number.sites.size(), 1u);
  EXPECT_EQ(by_number.sites[0].inum_offset, 16);
  EXPECT_EQ(by_number.sites[0].ns_common_bytes, 24);
  kernel.functions({"__ns_common_free"});
  EXPECT_EQ(kernel.offer(Hook::kFree).sites[0].function, "__ns_common_free");
}

TEST(HooksSites, CgroupAttachNeedsWhatFindsTheMovedTask) {
  KernelBtf kernel;
  kernel.functions({"cgroup_attach_permissions", "cgroup_procs_write_finish"});
  const Offer lacking = kernel.offer(Hook::kCgroupAttach);
  EXPECT_EQ(lacking.state, Offer::State::kUnavailable);
  EXPECT_NE(lacking.how.find("cgroup_procs_write_start"), std::string::npos) << lacking.how;
  kernel.functions({"cgroup_procs_write_start"});
  EXPECT_EQ(kernel.offer(Hook::kCgroupAttach).state, Offer::State::kBridged);
}

TEST(HooksSites, TaskStorageIsWatchedOnlyWhereItCanFail) {
  KernelBtf kernel;
  add_installs(kernel);
  kernel.structure("task_struct", "nivcsw", 40);
  EXPECT_EQ(kernel.offer(Hook::kInstall).storage.busy_id, 0u);
  kernel.variable("bpf_task_storage_busy");
  const Offer failing = kernel.offer(Hook::kInstall);
  EXPECT_NE(failing.storage.busy_id, 0u);
  EXPECT_EQ(failing.storage.switches_offset, 40);
  kernel.functions({"bpf_task_storage_get_recur"});
  EXPECT_EQ(kernel.offer(Hook::kInstall).storage.busy_id, 0u);
}

}  // namespace
}  // namespace holdfast::hooks
