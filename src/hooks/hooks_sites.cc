// SPDX-License-Identifier: Apache-2.0
#include "hooks/hooks_sites.h"

#include <sched.h>

namespace holdfast::hooks {
namespace {

using From = Argument::From;

std::uint32_t function_id(const btf* kernel, const std::string& name) {
  const int id = btf__find_by_name_kind(kernel, name.c_str(), BTF_KIND_FUNC);
  return id > 0 ? static_cast<std::uint32_t>(id) : 0;
}

Argument context(int index) { return {.from = From::kContext, .index = index}; }
Argument zero() { return {.from = From::kZero}; }

// setns() calls one of these for each namespace, with the hook's own arguments. `questions` is how often
// each asks capable() for what the enforcer answers.
Offer find_install(const btf* kernel) {
  struct Install {
    const char* function;
    std::uint32_t ns_type;
    std::uint32_t questions;
  };
  static constexpr Install kInstalls[] = {
      {"utsns_install", CLONE_NEWUTS, 2},   {"ipcns_install", CLONE_NEWIPC, 2},
      {"netns_install", CLONE_NEWNET, 2},   {"mntns_install", CLONE_NEWNS, 3},
      {"pidns_install", CLONE_NEWPID, 2},   {"cgroupns_install", CLONE_NEWCGROUP, 2},
      {"timens_install", CLONE_NEWTIME, 2}, {"userns_install", CLONE_NEWUSER, 1}};
  Offer offer;
  for (const Install& install : kInstalls) {
    Site site;
    site.function = install.function;
    site.function_id = function_id(kernel, site.function);
    if (site.function_id == 0) {
      offer.how = "this kernel's type information lacks " + site.function;
      return offer;
    }
    site.arguments = {context(0), context(1), zero()};
    site.object = 1;
    site.ns_type = install.ns_type;
    site.questions = install.questions;
    offer.sites.push_back(std::move(site));
  }
  offer.state = Offer::State::kBridged;
  offer.how = "fentry of the eight *ns_install functions, enforced by lsm/capable";
  return offer;
}

}  // namespace

std::string_view hook_name(Hook hook) {
  switch (hook) {
    case Hook::kAlloc: return "namespace_alloc";
    case Hook::kFree: return "namespace_free";
    case Hook::kInstall: return "namespace_install";
    case Hook::kCgroupAttach: return "cgroup_attach";
  }
  return "";
}

Offer find_offer(const btf* kernel, Hook hook) {
  if (function_id(kernel, "bpf_lsm_" + std::string(hook_name(hook))) != 0) {
    return {.state = Offer::State::kNative, .how = "the kernel has it", .sites = {}};
  }
  switch (hook) {
    case Hook::kInstall: return find_install(kernel);
    default: return {.state = Offer::State::kUnavailable, .how = "not bridged", .sites = {}};
  }
}

}  // namespace holdfast::hooks
