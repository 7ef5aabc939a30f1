// SPDX-License-Identifier: Apache-2.0
#include "backend/lsm/selection.h"

#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <utility>

#include "bpf/lib/decision_points.h"

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

// "utsns_install" of "fentry/utsns_install"; nothing for other sections.
std::string traced_function(std::string_view section) {
  for (const std::string_view kind : {"fentry/", "fexit/"})
    if (section.starts_with(kind)) return std::string(section.substr(kind.size()));
  return {};
}

std::string lsm_hook(std::string_view section) {
  constexpr std::string_view kPrefix = "lsm/";
  return section.starts_with(kPrefix) ? std::string(section.substr(kPrefix.size())) : std::string();
}

bool is_capture(std::string_view function) { return function.ends_with("_install"); }

// The programs for the hooks of kernels that ask about namespaces themselves (native.bpf.h), and
// the one that decides where other kernels ask.
constexpr std::string_view kNativeHooks[] = {"namespace_install", "namespace_free"};
constexpr std::string_view kNativeMaking[] = {"namespace_init", "namespace_alloc"};  // one of them
constexpr std::string_view kNativePrograms = "ns_native_";
constexpr std::string_view kStandInDecider = "ns_capable";

bool makes_one_type(std::string_view function) {
  return std::ranges::find(kTypes, function, &TypeFunctions::make) != std::end(kTypes);
}

// Whether programs on the function capture or record what those hooks are asked about.
bool stands_in(std::string_view function) {
  return is_capture(function) || makes_one_type(function) || function == HF_MAKES_EVERY_NS ||
         function == HF_FREES_EVERY_NS || function == HF_FREES_EVERY_INUM;
}

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

bool asks_natively(const kernel::KernelTypes& types) {
  const auto has = [&types](std::string_view hook) {
    return types.has_function("bpf_lsm_" + std::string(hook));
  };
  return std::ranges::all_of(kNativeHooks, has) && std::ranges::any_of(kNativeMaking, has);
}

bool is_used_here(std::string_view section, std::string_view program,
                  const kernel::KernelTypes& types) {
  const bool native = asks_natively(types);
  if (program.starts_with(kNativePrograms))
    return native && types.has_function(helper_function(section));
  const std::string function = traced_function(section);
  if (native && (program == kStandInDecider || stands_in(function))) return false;
  if (makes_one_type(function) && types.has_function(HF_MAKES_EVERY_NS)) return false;
  if (function == HF_FREES_EVERY_INUM && types.has_function(HF_FREES_EVERY_NS)) return false;
  return !stands_in(function) || types.has_function(function);
}

}  // namespace holdfast::backend::lsm
