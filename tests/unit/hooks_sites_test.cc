// SPDX-License-Identifier: Apache-2.0
// What is used on which kernel: chosen by the kernel's type information, here made up.
#include "hooks/hooks_sites.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <memory>
#include <string>
#include <vector>

namespace holdfast::hooks {
namespace {

constexpr int kPointerBits = 64;

// The type information of a kernel that has only what a test puts in.
class KernelBtf {
 public:
  KernelBtf() : types_(btf__new_empty(), &btf__free) {
    number_ = btf__add_int(types_.get(), "unsigned int", 4, 0);
    byte_ = btf__add_int(types_.get(), "bool", 1, BTF_INT_BOOL);
    flags_ = btf__add_int(types_.get(), "unsigned long", 8, 0);
    function("bpf_iter_bpf_map_elem", {});
  }

  // "*NAME" is a pointer to the struct, and else "int", "bool" or "flags"; "": nothing.
  void function(const std::string& name, const std::vector<std::string>& arguments,
                const std::string& result = "int") {
    std::vector<int> ids;
    ids.reserve(arguments.size());
    for (const std::string& argument : arguments) ids.push_back(type(argument));
    const int proto = btf__add_func_proto(types_.get(), type(result));
    for (const int id : ids) btf__add_func_param(types_.get(), "x", id);
    btf__add_func(types_.get(), name.c_str(), BTF_FUNC_GLOBAL, proto);
  }
  int structure(const char* name, const char* member, int bytes) {
    const int id =
        btf__add_struct(types_.get(), name, static_cast<__u32>(bytes) + kPointerBits / 8);
    btf__add_field(types_.get(), member, number_, static_cast<__u32>(bytes) * 8, 0);
    structs_[name] = id;
    return id;
  }
  void cgroup_structures() {
    structure("kernfs_node", "id", 96);
    structure("cgroup_subsys_state", "cgroup", 8);
    btf__add_field(types_.get(), "parent", number_, 40 * 8, 0);
    structure("cgroup", "kn", 240);
    btf__add_field(types_.get(), "self", number_, 16 * 8, 0);
  }
  int namespace_struct(const std::string& name, int ns_offset) {
    return structure(name.c_str(), "ns", ns_offset);
  }
  void variable(const char* name) {
    btf__add_var(types_.get(), name, BTF_VAR_GLOBAL_ALLOCATED, number_);
  }

  [[nodiscard]] Offer offer(Hook hook) const { return find_offer(types_.get(), hook); }

 private:
  int type(const std::string& text) {
    if (text.empty()) return 0;
    if (text == "int") return number_;
    if (text == "bool") return byte_;
    if (text == "flags") return flags_;
    const std::string name = text.substr(1);
    if (!structs_.contains(name))
      structs_[name] = btf__add_fwd(types_.get(), name.c_str(), BTF_FWD_STRUCT);
    return btf__add_ptr(types_.get(), structs_[name]);
  }

  std::unique_ptr<btf, decltype(&btf__free)> types_;
  std::map<std::string, int> structs_;
  int number_;
  int byte_;
  int flags_;
};

constexpr const char* kInstalls[] = {"utsns_install",  "ipcns_install", "netns_install",
                                     "mntns_install",  "pidns_install", "cgroupns_install",
                                     "timens_install", "userns_install"};

void add_installs_but(KernelBtf& kernel, const std::string& lacking) {
  for (const char* name : kInstalls)
    if (name != lacking) kernel.function(name, {"*nsset", "*ns_common"});
}
void add_installs(KernelBtf& kernel) { add_installs_but(kernel, ""); }

void add_common_init(KernelBtf& kernel) {
  kernel.function("__ns_common_init", {"*ns_common", "int", "*proc_ns_operations", "int"});
}
void add_common_free(KernelBtf& kernel) { kernel.function("__ns_common_free", {"*ns_common"}, ""); }

void add_move_asked(KernelBtf& kernel) {
  kernel.function("cgroup_attach_permissions",
                  {"*cgroup", "*cgroup", "*super_block", "bool", "*cgroup_namespace"});
}
void add_move_named(KernelBtf& kernel) {
  kernel.function("cgroup_procs_write_start", {}, "*task_struct");
}
void add_move_named_end(KernelBtf& kernel) { kernel.function("cgroup_procs_write_finish", {}, ""); }
void add_moves(KernelBtf& kernel) {
  add_move_asked(kernel);
  add_move_named(kernel);
  add_move_named_end(kernel);
}

// What the kernel calls the hook, as it was proposed or as it was merged.
void add_native(KernelBtf& kernel, Hook hook) {
  const std::string name = "bpf_lsm_" + std::string(hook_name(hook));
  if (hook == Hook::kInstall) {
    kernel.function(name, {"*nsset", "*ns_common"});
  } else if (hook == Hook::kCgroupAttach) {
    kernel.cgroup_structures();
    kernel.function(
        name, {"*task_struct", "*cgroup", "*cgroup", "*super_block", "bool", "*cgroup_namespace"});
  } else
    kernel.function(name, {"*ns_common"});
}

// One that returns a pointer to a struct whose member `ns` is that many bytes into it.
void add_maker(KernelBtf& kernel, const char* name, const std::string& kind, int ns_offset) {
  kernel.namespace_struct(kind, ns_offset);
  if (kind == "mnt_namespace")
    kernel.function(name, {"flags", "*" + kind, "*user_namespace", "*fs_struct"}, "*" + kind);
  else
    kernel.function(name, {"flags", "*user_namespace", "*" + kind}, "*" + kind);
}

void add_makers_by_type(KernelBtf& kernel) {
  kernel.namespace_struct("user_namespace", 72);
  kernel.structure("cred", "user_ns", 120);
  add_maker(kernel, "copy_utsname", "uts_namespace", 8);
  add_maker(kernel, "copy_ipcs", "ipc_namespace", 16);
  add_maker(kernel, "copy_pid_ns", "pid_namespace", 24);
  add_maker(kernel, "copy_net_ns", "net", 32);
  add_maker(kernel, "copy_mnt_ns", "mnt_namespace", 0);
  add_maker(kernel, "copy_cgroup_ns", "cgroup_namespace", 48);
  add_maker(kernel, "copy_time_ns", "time_namespace", 56);
  kernel.function("create_user_ns", {"*cred"});
}

const Site* site_at(const Offer& offer, const std::string& function) {
  const auto found = std::ranges::find(offer.sites, function, &Site::function);
  return found == offer.sites.end() ? nullptr : &*found;
}

// Two names of one hook.
bool is_alloc(Hook hook) { return hook == Hook::kAlloc || hook == Hook::kInit; }

TEST(HooksSites, NativeWhereTheKernelHasTheHook) {
  for (Hook hook : kHooks) {
    KernelBtf kernel;
    add_installs(kernel);
    add_moves(kernel);
    add_common_init(kernel);
    add_common_free(kernel);
    add_native(kernel, hook);
    for (Hook other : kHooks) {
      const bool native = other == hook || (is_alloc(other) && is_alloc(hook));
      const Offer offer = kernel.offer(other);
      EXPECT_EQ(offer.state, native ? Offer::State::kNative : Offer::State::kBridged)
          << hook_name(other) << ": " << offer.how;
      EXPECT_EQ(offer.native_id != 0, native);
    }
    EXPECT_TRUE(kernel.offer(hook).sites.empty());
  }
}

TEST(HooksSites, ANativeCgroupAttachSaysHowToFindParents) {
  KernelBtf kernel;
  add_native(kernel, Hook::kCgroupAttach);
  const auto layout = kernel.offer(Hook::kCgroupAttach).cgroups;
  EXPECT_EQ(layout.node, 240);
  EXPECT_EQ(layout.id, 96);
  EXPECT_EQ(layout.parent, 16 + 40);
  EXPECT_EQ(layout.cgroup, 8);
}

TEST(HooksSites, TheOtherNameOfAHookIsNativeToo) {
  KernelBtf merged;
  add_native(merged, Hook::kInit);
  EXPECT_EQ(merged.offer(Hook::kAlloc).how, "the kernel has it as namespace_init");
  EXPECT_EQ(merged.offer(Hook::kInit).how, "the kernel has it");
  EXPECT_EQ(merged.offer(Hook::kAlloc).native_id, merged.offer(Hook::kInit).native_id);
  KernelBtf proposed;
  add_native(proposed, Hook::kAlloc);
  EXPECT_EQ(proposed.offer(Hook::kInit).how, "the kernel has it as namespace_alloc");
}

TEST(HooksSites, ANativeHookWithOtherArgumentsIsUnavailable) {
  KernelBtf kernel;
  add_installs(kernel);
  kernel.function("bpf_lsm_namespace_install", {"*task_struct", "*nsset", "*ns_common"});
  const Offer offer = kernel.offer(Hook::kInstall);
  EXPECT_EQ(offer.state, Offer::State::kUnavailable);
  EXPECT_EQ(offer.how,
            "bpf_lsm_namespace_install: any (struct nsset *, struct ns_common *) is expected, the "
            "kernel has unsigned int (struct task_struct *, struct nsset *, struct ns_common *)");
}

// Each function that stands in for a hook, with other arguments.
TEST(HooksSites, AFunctionWithOtherArgumentsIsNotUsed) {
  struct Doctored {
    Hook hook;
    const char* function;
    std::vector<std::string> arguments;
    std::string result;
  };
  const Doctored all[] = {
      {Hook::kInstall, "netns_install", {"*task_struct", "*nsset", "*ns_common"}, "int"},
      {Hook::kInstall, "netns_install", {"*ns_common"}, "int"},
      {Hook::kInstall, "netns_install", {"*nsset", "*net"}, "int"},
      {Hook::kAlloc, "__ns_common_init", {"*net", "*ns_common", "int", "int"}, "int"},
      {Hook::kAlloc,
       "__ns_common_init",
       {"*ns_common", "flags", "*proc_ns_operations", "int"},
       "int"},
      {Hook::kInit,
       "__ns_common_init",
       {"*ns_common", "int", "*proc_ns_operations", "int"},
       "flags"},
      {Hook::kInit, "__ns_common_init", {"*ns_common", "int", "int"}, "int"},
      {Hook::kFree, "__ns_common_free", {"*user_namespace", "*ns_common"}, ""},
      {Hook::kFree, "__ns_common_free", {"int"}, ""},
      {Hook::kCgroupAttach,
       "cgroup_attach_permissions",
       {"*task_struct", "*cgroup", "*cgroup", "*super_block", "bool", "*cgroup_namespace"},
       "int"},
      {Hook::kCgroupAttach,
       "cgroup_attach_permissions",
       {"*cgroup", "*cgroup", "*super_block", "int", "*cgroup_namespace"},
       "int"},
      {Hook::kCgroupAttach,
       "cgroup_attach_permissions",
       {"*cgroup", "*cgroup", "*super_block", "*cgroup_namespace"},
       "int"}};
  for (const Doctored& doctored : all) {
    KernelBtf kernel;
    kernel.function(doctored.function, doctored.arguments, doctored.result);
    add_installs_but(kernel, doctored.function);
    add_move_named(kernel);
    add_move_named_end(kernel);
    const Offer offer = kernel.offer(doctored.hook);
    EXPECT_EQ(offer.state, Offer::State::kUnavailable) << doctored.function;
    EXPECT_TRUE(offer.how.starts_with(std::string(doctored.function) + ": ")) << offer.how;
    EXPECT_NE(offer.how.find(" is expected, the kernel has "), std::string::npos) << offer.how;
    EXPECT_TRUE(offer.sites.empty());
  }
}

// Older kernels, one function for each type.
TEST(HooksSites, AMakerWithOtherArgumentsIsNotUsed) {
  KernelBtf kernel;
  kernel.function("copy_utsname", {"*user_namespace", "*uts_namespace"}, "*uts_namespace");
  EXPECT_EQ(kernel.offer(Hook::kAlloc).state, Offer::State::kUnavailable);
  KernelBtf other;
  other.function("copy_utsname", {"flags", "*user_namespace", "*uts_namespace"}, "int");
  EXPECT_EQ(other.offer(Hook::kAlloc).state, Offer::State::kUnavailable);
}

TEST(HooksSites, AHookOfAnotherNameIsNotNative) {
  KernelBtf kernel;
  add_installs(kernel);
  kernel.function("bpf_lsm_namespace_installed", {"*nsset", "*ns_common"});
  kernel.function("namespace_install", {"*nsset", "*ns_common"});
  EXPECT_EQ(kernel.offer(Hook::kInstall).state, Offer::State::kBridged);
}

TEST(HooksSites, InstallTakesAllEightOrNone) {
  KernelBtf kernel;
  add_installs_but(kernel, "timens_install");
  const Offer lacking = kernel.offer(Hook::kInstall);
  EXPECT_EQ(lacking.state, Offer::State::kUnavailable);
  EXPECT_NE(lacking.how.find("timens_install"), std::string::npos) << lacking.how;
  EXPECT_TRUE(lacking.sites.empty());
  kernel.function("timens_install", {"*nsset", "*ns_common"});
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
  add_common_init(kernel);
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
  kernel.function("proc_free_inum", {"int"}, "");
  const Offer by_number = kernel.offer(Hook::kFree);
  ASSERT_EQ(by_number.sites.size(), 1u);
  EXPECT_EQ(by_number.sites[0].inum_offset, 16);
  EXPECT_EQ(by_number.sites[0].ns_common_bytes, 24);
  add_common_free(kernel);
  EXPECT_EQ(kernel.offer(Hook::kFree).sites[0].function, "__ns_common_free");
}

TEST(HooksSites, CgroupAttachNeedsWhatFindsTheMovedTask) {
  KernelBtf kernel;
  add_move_asked(kernel);
  add_move_named_end(kernel);
  const Offer lacking = kernel.offer(Hook::kCgroupAttach);
  EXPECT_EQ(lacking.state, Offer::State::kUnavailable);
  EXPECT_NE(lacking.how.find("cgroup_procs_write_start"), std::string::npos) << lacking.how;
  add_move_named(kernel);
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
  kernel.function("bpf_task_storage_get_recur", {});
  EXPECT_EQ(kernel.offer(Hook::kInstall).storage.busy_id, 0u);
}

}  // namespace
}  // namespace holdfast::hooks
