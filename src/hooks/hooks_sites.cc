// SPDX-License-Identifier: Apache-2.0
#include "hooks/hooks_sites.h"

#include <sched.h>

#include <optional>
#include <utility>

#include "bpf/lib/decision_points.h"
#include "hooks/kernel_types.h"

namespace holdfast::hooks {
namespace {

using From = Argument::From;
using Test = Condition::Test;

constexpr std::int32_t kAnonymousMount = static_cast<std::int32_t>(HF_ANONYMOUS_MOUNTS_INUM);
constexpr std::uint32_t CLONE_NEWMNT = CLONE_NEWNS;  // the name that HF_NAMESPACE_POINTS uses

// The iterator over the elements of a map. A link of it has to name the map.
constexpr const char* kStandIn = "bpf_iter_bpf_map_elem";

using kernel::integer_of;
using kernel::pointer_to;

Argument context(int index) { return {.from = From::kContext, .index = index}; }
Argument zero() { return {}; }

std::optional<int> member_offset(const btf* kernel, const btf_type* type, std::string_view name) {
  const auto member = find_member(kernel, type, name);
  return member ? std::optional(member->offset) : std::nullopt;
}

std::optional<int> member_offset(const btf* kernel, const char* type, std::string_view name) {
  const auto member = find_member(kernel, type, name);
  return member ? std::optional(member->offset) : std::nullopt;
}

// Rounded up to a multiple of 8; 0: there is none.
int ns_common_bytes(const btf* kernel) {
  const int id = btf__find_by_name_kind(kernel, "ns_common", BTF_KIND_STRUCT);
  if (id < 0) return 0;
  return static_cast<int>(btf__type_by_id(kernel, static_cast<__u32>(id))->size + 7) / 8 * 8;
}

// Adds a site to the offer. False: the kernel lacks the function, or it has other arguments, and
// `offer.how` has the reason.
bool add_site(Offer& offer, const btf* kernel, Site site) {
  site.function_id = function_id(kernel, site.function);
  if (site.function_id == 0) {
    offer.how = "this kernel's type information lacks " + site.function;
    return false;
  }
  if (const auto checked =
          kernel::check_prototype(kernel, site.function, site.parameters, site.result);
      !checked) {
    offer.how = site.function + ": " + checked.error().detail;
    return false;
  }
  offer.sites.push_back(std::move(site));
  return true;
}

Offer bridged(Offer offer, std::string how) {
  offer.state = Offer::State::kBridged;
  offer.how = std::move(how);
  return offer;
}

enum class Make { COPY, COPY_MNT, CREATE_USER };

struct NamespacePoint {
  const char* install;
  std::uint32_t checks;
  Make how;
  const char* make;
  std::uint32_t clone_flag;
  const char* kind;
};
#define HF_NAMESPACE_POINT(proc, TYPE, install, checks, how, make, kind) \
  NamespacePoint{#install, checks, Make::how, #make, CLONE_NEW##TYPE, #kind},
constexpr NamespacePoint kNamespacePoints[] = {HF_NAMESPACE_POINTS(HF_NAMESPACE_POINT)};
#undef HF_NAMESPACE_POINT

// setns(2) calls one of these functions for each namespace, with the arguments of the hook.
Offer find_install(const btf* kernel) {
  Offer offer;
  for (const NamespacePoint& point : kNamespacePoints) {
    Site site{.function = point.install,
              .parameters = {pointer_to("nsset"), pointer_to("ns_common")},
              .arguments = {context(0), context(1), zero()}};
    site.object = 1;
    site.ns_type = point.clone_flag;
    site.checks = point.checks;
    if (!add_site(offer, kernel, std::move(site))) return offer;
  }
  return bridged(std::move(offer),
                 "fentry of the eight *ns_install functions, enforced by lsm/capable");
}

// Kernels that have __ns_common_init(ns, ns_type, ops, inum) call it for every new namespace.
Offer find_alloc_common(const btf* kernel) {
  Offer offer;
  Site site{.function = HF_MAKES_EVERY_NS,
            .parameters = {pointer_to("ns_common"), integer_of(4), pointer_to("proc_ns_operations"),
                           integer_of(4)},
            .result = integer_of(4),
            .attach = BPF_TRACE_FEXIT,
            .arguments = {context(0), zero()}};
  site.conditions = {{Test::kDiffers, 3, kAnonymousMount}, {Test::kZero, 4}};
  site.object = 0;
  if (!add_site(offer, kernel, std::move(site))) return offer;
  return bridged(std::move(offer), "fexit of " HF_MAKES_EVERY_NS);
}

// A function that returns a namespace. It returns a new one if `flags`, its first argument,
// requests that, and else the old one.
bool add_copier(Offer& offer, const btf* kernel, const NamespacePoint& point) {
  const kernel::ArgumentType kind = pointer_to(point.kind);
  const kernel::ArgumentType user = pointer_to("user_namespace");
  Site site{.function = point.make, .result = kind, .attach = BPF_TRACE_FEXIT};
  if (point.how == Make::COPY_MNT)
    site.parameters = {integer_of(8), kind, user, pointer_to("fs_struct")};
  else
    site.parameters = {integer_of(8), user, kind};
  site.ns_type = point.clone_flag;
  if (!add_site(offer, kernel, std::move(site))) return false;
  Site& added = offer.sites.back();
  const btf_type* function_type = prototype(kernel, added.function_id);
  const btf_type* result = skip_modifiers(kernel, function_type->type);
  const auto offset = member_offset(kernel, skip_modifiers(kernel, result->type), "ns");
  if (!offset) {
    offer.how = "the result of " + added.function + " has no member ns";
    return false;
  }
  const int returned = btf_vlen(function_type);
  added.arguments = {{.from = From::kMember, .index = returned, .offset = *offset}, zero()};
  added.conditions = {{Test::kAnyBit, 0, static_cast<std::int32_t>(point.clone_flag)},
                      {Test::kNoErrorPointer, returned}};
  added.object = returned;
  return true;
}

// A function that stores a new user namespace in the credentials that are its argument.
bool add_user_creator(Offer& offer, const btf* kernel, const NamespacePoint& point) {
  const auto user_ns = member_offset(kernel, "cred", "user_ns");
  const auto offset = member_offset(kernel, "user_namespace", "ns");
  if (!user_ns || !offset) {
    offer.how = "struct cred or struct user_namespace is not as expected";
    return false;
  }
  Site site{.function = point.make,
            .parameters = {pointer_to("cred")},
            .result = integer_of(4),
            .attach = BPF_TRACE_FEXIT};
  site.ns_type = point.clone_flag;
  site.arguments = {{.from = From::kPointee, .index = 0, .offset = *offset, .via = *user_ns},
                    zero()};
  site.conditions = {{Test::kZero, 1}};
  site.object = 0;
  return add_site(offer, kernel, std::move(site));
}

// Older kernels have one function for each type.
Offer find_alloc_each(const btf* kernel) {
  Offer offer;
  for (const NamespacePoint& point : kNamespacePoints) {
    const bool added = point.how == Make::CREATE_USER ? add_user_creator(offer, kernel, point)
                                                      : add_copier(offer, kernel, point);
    if (!added) return offer;
  }
  return bridged(std::move(offer), "fexit of copy_utsname, copy_ipcs, … and create_user_ns");
}

Offer find_free(const btf* kernel) {
  Offer offer;
  Site site{.function = HF_FREES_EVERY_NS,
            .parameters = {pointer_to("ns_common")},
            .arguments = {context(0), zero()}};
  site.object = 0;
  site.key = CallKey::kObject;
  if (function_id(kernel, HF_FREES_EVERY_NS) != 0) {
    if (!add_site(offer, kernel, site)) return offer;
    return bridged(std::move(offer), "fentry of " HF_FREES_EVERY_NS);
  }
  site.function = HF_FREES_EVERY_INUM;
  site.parameters = {integer_of(4)};
  site.arguments = {{.from = From::kInum, .index = 0}, zero()};
  const auto inum = member_offset(kernel, "ns_common", "inum");
  site.ns_common_bytes = ns_common_bytes(kernel);
  if (site.ns_common_bytes == 0 || !inum) return {.how = "struct ns_common is not as expected"};
  site.inum_offset = *inum;
  if (!add_site(offer, kernel, std::move(site))) return offer;
  return bridged(std::move(offer),
                 "fentry of " HF_FREES_EVERY_INUM ", with nothing but the number");
}

// cgroup_attach_permissions(src_cgrp, dst_cgrp, sb, threadgroup, cgroup_ns), always under
// cgroup_mutex.
Offer find_cgroup_attach(const btf* kernel) {
  Offer offer;
  for (const char* function : {HF_MOVE_NAMED, HF_MOVE_NAMED_END}) {
    if (function_id(kernel, function) == 0) {
      offer.how = std::string("this kernel's type information lacks ") + function;
      return offer;
    }
  }
  Site site{.function = HF_MOVE_ASKED};
  site.parameters = {pointer_to("cgroup"), pointer_to("cgroup"), pointer_to("super_block"),
                     integer_of(1), pointer_to("cgroup_namespace")};
  site.arguments = {
      {.from = From::kTask}, context(0), context(1), context(2), context(3), context(4), zero()};
  site.copies = 1;
  site.checks = 1;
  if (!add_site(offer, kernel, std::move(site))) return offer;
  return bridged(std::move(offer), "fentry of " HF_MOVE_ASKED ", enforced by lsm/inode_permission");
}

StorageDefect find_storage_defect(const btf* kernel) {
  const int busy = btf__find_by_name_kind(kernel, "bpf_task_storage_busy", BTF_KIND_VAR);
  const auto switches = member_offset(kernel, "task_struct", "nivcsw");
  const bool mended = function_id(kernel, "bpf_task_storage_get_recur") != 0;
  if (busy < 0 || mended || !switches) return {};
  return {.busy_id = static_cast<std::uint32_t>(busy), .switches_offset = *switches};
}

// What programs of a hook read. docs/hooks.md has the names.
std::vector<kernel::ArgumentType> arguments_of(Hook hook) {
  switch (hook) {
    case Hook::kAlloc:
    case Hook::kInit:
    case Hook::kFree:
      return {pointer_to("ns_common")};
    case Hook::kInstall:
      return {pointer_to("nsset"), pointer_to("ns_common")};
    case Hook::kCgroupAttach:
      return {pointer_to("task_struct"), pointer_to("cgroup"), pointer_to("cgroup"),
              pointer_to("super_block"), integer_of(1),        pointer_to("cgroup_namespace")};
  }
  return {};
}

// Missing members count as a kernel that is not as expected.
std::optional<CgroupLayout> find_cgroup_layout(const btf* kernel) {
  const auto node = member_offset(kernel, "cgroup", "kn");
  const auto id = member_offset(kernel, "kernfs_node", "id");
  const auto self = member_offset(kernel, "cgroup", "self");
  const auto parent = member_offset(kernel, "cgroup_subsys_state", "parent");
  const auto cgroup = member_offset(kernel, "cgroup_subsys_state", "cgroup");
  if (!node || !id || !self || !parent || !cgroup) return std::nullopt;
  return CgroupLayout{.node = *node, .id = *id, .parent = *self + *parent, .cgroup = *cgroup};
}

Offer native(const btf* kernel, Hook hook, Hook name, std::uint32_t id) {
  Offer offer{.state = Offer::State::kNative, .native_id = id, .how = "the kernel has it"};
  if (name != hook) offer.how += " as " + std::string(hook_name(name));
  if (hook != Hook::kCgroupAttach) return offer;
  const auto layout = find_cgroup_layout(kernel);
  if (!layout) return {.how = "struct cgroup is not as expected"};
  offer.cgroups = *layout;
  return offer;
}

Hook other_name(Hook hook) {
  if (hook == Hook::kAlloc) return Hook::kInit;
  return hook == Hook::kInit ? Hook::kAlloc : hook;
}

Offer find_bridge(const btf* kernel, Hook hook) {
  switch (hook) {
    case Hook::kAlloc:
    case Hook::kInit: {
      const bool common = function_id(kernel, HF_MAKES_EVERY_NS) != 0;
      return common ? find_alloc_common(kernel) : find_alloc_each(kernel);
    }
    case Hook::kFree:
      return find_free(kernel);
    case Hook::kInstall:
      return find_install(kernel);
    case Hook::kCgroupAttach:
      return find_cgroup_attach(kernel);
  }
  return {};
}

}  // namespace

std::string_view hook_name(Hook hook) {
  switch (hook) {
    case Hook::kAlloc:
      return "namespace_alloc";
    case Hook::kInit:
      return "namespace_init";
    case Hook::kFree:
      return "namespace_free";
    case Hook::kInstall:
      return "namespace_install";
    case Hook::kCgroupAttach:
      return "cgroup_attach";
  }
  return "";
}

Offer find_offer(const btf* kernel, Hook hook) {
  for (const Hook name : {hook, other_name(hook)}) {
    const std::string function = "bpf_lsm_" + std::string(hook_name(name));
    const std::uint32_t id = function_id(kernel, function);
    if (id == 0) continue;
    if (const auto checked = kernel::check_prototype(kernel, function, arguments_of(hook));
        !checked)
      return {.how = function + ": " + checked.error().detail};
    return native(kernel, hook, name, id);
  }
  Offer offer = find_bridge(kernel, hook);
  offer.stand_in_id = function_id(kernel, kStandIn);
  if (offer.state == Offer::State::kBridged && offer.stand_in_id == 0) {
    offer.state = Offer::State::kUnavailable;
    offer.how = std::string("this kernel's type information lacks ") + kStandIn;
  }
  if (offer.state != Offer::State::kBridged) offer.sites.clear();
  offer.storage = find_storage_defect(kernel);
  const auto ns_type = member_offset(kernel, "ns_common", "ns_type");
  offer.has_ns_type = ns_type.has_value();
  offer.ns_common_bytes = ns_common_bytes(kernel);
  offer.ns_type_offset = ns_type.value_or(offer.ns_common_bytes);
  return offer;
}

}  // namespace holdfast::hooks
