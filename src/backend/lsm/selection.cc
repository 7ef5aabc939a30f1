// SPDX-License-Identifier: Apache-2.0
#include "backend/lsm/selection.h"

#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <utility>

#include "bpf/lib/decision_points.h"
#include "kernel/sockets/sockets.h"

namespace holdfast::backend::lsm {

namespace {

struct TypeFunctions {
  std::string_view proc_name;  // /proc/self/ns/…: there when the kernel has the type
  std::string_view enter;
  std::string_view make;  // before 6.18
};
#define HF_TYPE_FUNCTIONS(proc, TYPE, install, questions, how, make, kind) \
  TypeFunctions{#proc, #install, #make},
constexpr TypeFunctions kTypes[] = {HF_NAMESPACE_POINTS(HF_TYPE_FUNCTIONS)};
#undef HF_TYPE_FUNCTIONS

bool kernel_has_type(std::string_view name) {
  return access(("/proc/self/ns/" + std::string(name)).c_str(), F_OK) == 0;
}

// "utsns_install" of "fentry/utsns_install"; nothing for programs that every session has.
std::string traced_function(std::string_view section) {
  for (const std::string_view kind : {"fentry/", "fexit/"})
    if (section.starts_with(kind)) return std::string(section.substr(kind.size()));
  return {};
}

// The programs of protected_tasks.bpf.h: every session has them.
constexpr std::string_view kProtects = "protect_";

bool is_about_sockets(std::string_view section) {
  return section == "tc" || section.starts_with("lsm/socket_") ||
         section.starts_with("lsm/unix_") || section == "lsm/sctp_bind_connect" ||
         section == "lsm/file_permission" ||
         (section.starts_with("lsm/inode_") && section.ends_with("xattr"));
}

constexpr std::string_view kOnlyNewKernels =
    "file_ioctl_compat";  // 6.8; before, file_ioctl has all

std::string lsm_hook(std::string_view section) {
  constexpr std::string_view kPrefix = "lsm/";
  return section.starts_with(kPrefix) ? std::string(section.substr(kPrefix.size())) : std::string();
}

// Of the guard (guard.bpf.h), though its hook is one of those.
bool is_about_terminals(std::string_view program) { return program.starts_with("hf_terminal"); }

bool is_capture(std::string_view function) { return function.ends_with("_install"); }

Error lacking(std::string_view function) {
  return Error{ENOTSUP, "attach to the kernel", std::string(function),
               "the kernel has no such function"};
}

}  // namespace

std::string helper_function(std::string_view section) {
  const std::string hook = lsm_hook(section);
  return hook.empty() ? traced_function(section) : "bpf_lsm_" + hook;
}

Result<void> check_namespace_functions(const kernel::KernelTypes& types, bool tracking) {
  const auto has = [&types](std::string_view name) {
    return types.has_function(std::string(name));
  };
  for (const TypeFunctions& type : kTypes) {
    if (!kernel_has_type(type.proc_name)) continue;
    if (!has(type.enter)) return lacking(type.enter);
    if (tracking && !has(HF_MAKES_EVERY_NS) && !has(type.make)) return lacking(type.make);
  }
  if (tracking && !has(HF_FREES_EVERY_NS) && !has(HF_FREES_EVERY_INUM))
    return lacking(HF_FREES_EVERY_INUM);
  return {};
}

bool is_used_here(std::string_view section, const kernel::KernelTypes& types) {
  const std::string function = traced_function(section);
  const bool makes = std::ranges::find(kTypes, function, &TypeFunctions::make) != std::end(kTypes);
  const bool frees = function == HF_FREES_EVERY_INUM;
  if (makes && types.has_function(HF_MAKES_EVERY_NS)) return false;
  if (frees && types.has_function(HF_FREES_EVERY_NS)) return false;
  if (makes || frees || is_capture(function) || function == HF_MAKES_EVERY_NS ||
      function == HF_FREES_EVERY_NS)
    return types.has_function(function);
  return true;
}

Needs needs_of(const hf_tables& tables) {
  Needs needs;
  for (std::uint32_t i = 0; i < tables.profile_count && i < HF_PROFILE_SLOTS; i++) {
    const hf_profile& profile = tables.profiles[i];
    const bool holds =
        profile.ns_enter == HF_ENTER_LOCK || profile.ns_visitors != HF_VISITORS_ALLOW;
    if (holds || profile.ns_enter == HF_ENTER_OWN) needs.capture_copies = HF_COPIES;
    if (holds || profile.ns_track != 0) needs.tracking = true;
    if (profile.label_inherit != 0) needs.inherit = needs.errands = true;
    if (profile.socket_count > 0 || profile.label_ruled != 0 || profile.label_inherit != 0)
      needs.sockets = true;
  }
  for (std::uint32_t i = 0; i < tables.socket_rule_count && i < HF_MAX_SOCKET_RULES; i++) {
    const hf_socket_rule& rule = tables.socket_rules[i];
    if (rule.ops & HF_SOCK_SEND) needs.sends = true;
    if (rule.peer_count == 0 || !(rule.families & HF_FAMILY_UNIX)) continue;
    needs.peers = true;
    if (rule.ops & HF_SOCK_ACCEPT) needs.errands = true;
  }
  return needs;
}

Result<Selection> Selection::choose(const Needs& needs) {
  HF_TRY_ASSIGN(auto types, kernel::KernelTypes::load());
  HF_TRY(check_namespace_functions(types, needs.tracking));
  return Selection(needs, std::move(types), kernel::has_socket_attributes());
}

bool Selection::mirrored() const {
  return needs_.peers || needs_.inherit || !types_.has_function(std::string(kLabelReader));
}

bool Selection::wants_for_sockets(std::string_view section, std::string_view program) const {
  if (!needs_.sockets) return false;
  if (section.starts_with("lsm/unix_")) return needs_.peers;
  if (section == "tc" || section == "lsm/socket_getpeername") return needs_.errands;
  if (section == "lsm/file_permission")
    return needs_.sends && types_.has_function(std::string(kPageSender));
  if (!section.starts_with("lsm/inode_")) return true;
  // What user space labels it mirrors itself.
  const bool feeds_mirror =
      section.starts_with("lsm/inode_post_") || program == "hf_room_for_label";
  return kernel_labels_ && (!feeds_mirror || mirrored());
}

bool Selection::wants(std::string_view section, std::string_view program) const {
  if (is_about_terminals(program))
    return lsm_hook(section) != kOnlyNewKernels ||
           types_.has_function("bpf_lsm_" + lsm_hook(section));
  if (program.starts_with(kProtects)) return true;
  if (is_about_sockets(section)) return wants_for_sockets(section, program);
  if (program.starts_with(kHelperPrograms)) return types_.has_function(helper_function(section));
  const std::string function = traced_function(section);
  if (function.empty()) return true;
  if (!types_.has_function(function)) return false;
  if (is_capture(function)) return program.back() - '0' <= needs_.capture_copies;
  return needs_.tracking && is_used_here(section, types_);
}

}  // namespace holdfast::backend::lsm
