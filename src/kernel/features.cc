// SPDX-License-Identifier: Apache-2.0
#include "kernel/features.h"

#include <bpf/btf.h>
#include <linux/seccomp.h>
#include <sys/syscall.h>
#include <sys/utsname.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdint>
#include <memory>
#include <string_view>

#include "kernel/bpf/bpffs.h"
#include "kernel/files/text_file.h"
#include "kernel/probe.h"
#include "kernel/proc/mount_table.h"
#include "kernel/process/landlock.h"
#include "kernel/process/process.h"
#include "kernel/process/seccomp.h"
#include "kernel/sockets/sockets.h"

namespace holdfast::kernel {
namespace {

struct FreeBtf {
  void operator()(btf* types) const { btf__free(types); }
};
using Types = std::unique_ptr<btf, FreeBtf>;

std::string trimmed(std::string text) {
  while (!text.empty() && (text.back() == '\n' || text.back() == ' ')) text.pop_back();
  return text;
}

// The word in brackets of "none [integrity] confidentiality". The whole text when it has none.
std::string bracketed_word(const std::string& text) {
  const auto begin = text.find_first_of("[(");
  const auto end = text.find_first_of("])");
  if (begin == std::string::npos || end == std::string::npos || end < begin) return trimmed(text);
  return text.substr(begin + 1, end - begin - 1);
}

Feature kernel_release() {
  utsname name{};
  ::uname(&name);
  return {"kernel", Condition::good, std::string(name.release) + " " + name.machine};
}

bool has_function(const btf* types, const std::string& name) {
  return types != nullptr && btf__find_by_name_kind(types, name.c_str(), BTF_KIND_FUNC) > 0;
}

// A module may be configured and yet inactive. Links attach to an inactive module and do nothing.
Feature bpf_lsm(const btf* types) {
  const bool configured = has_function(types, "bpf_lsm_capable");
  const auto active = is_lsm_active("bpf");
  if (!active) return {"BPF LSM", Condition::unknown, "not readable: " + active.error().message()};
  if (*active) return {"BPF LSM", Condition::good, "active"};
  return {"BPF LSM", Condition::missing,
          configured ? "configured but not active: add bpf to lsm= at boot" : "not built in"};
}

Feature type_information() {
  if (has_kernel_types()) return {"type information (BTF)", Condition::good, "present"};
  return {"type information (BTF)", Condition::missing, "no /sys/kernel/btf/vmlinux"};
}

Feature privilege() {
  if (may_load_bpf()) return {"privilege", Condition::good, "root in the initial user namespace"};
  return {"privilege", Condition::limited, "none: the lsm backend needs root"};
}

Feature lockdown() {
  const auto text = read_text_file("/sys/kernel/security/lockdown");
  if (!text) return {"lockdown", Condition::unknown, "not readable or not built in"};
  const std::string mode = bracketed_word(*text);
  if (mode == "none")
    return {"lockdown", Condition::limited, "none: root can load modules and replace the kernel"};
  return {"lockdown", Condition::good, mode};
}

Feature ftrace() {
  const auto text = read_text_file("/proc/sys/kernel/ftrace_enabled");
  if (!text) return {"ftrace", Condition::missing, "no kernel.ftrace_enabled"};
  if (trimmed(*text) == "1") return {"ftrace", Condition::good, "enabled"};
  return {"ftrace", Condition::missing, "kernel.ftrace_enabled=0 disables every BPF LSM program"};
}

Feature preemption() {
  const auto text = read_text_file("/sys/kernel/debug/sched/preempt");
  if (text) return {"preemption", Condition::good, bracketed_word(*text)};
  utsname name{};
  ::uname(&name);
  const std::string_view version = name.version;
  if (version.find("PREEMPT_DYNAMIC") != version.npos)
    return {"preemption", Condition::good, "chosen at boot (debugfs shows which)"};
  if (version.find("PREEMPT") != version.npos) return {"preemption", Condition::good, "full"};
  return {"preemption", Condition::good, "voluntary or none"};
}

Feature landlock() {
  const auto abi = landlock_abi();
  if (!abi) return {"Landlock", Condition::missing, abi.error().message()};
  const std::string text = "ABI " + std::to_string(*abi);
  if (*abi >= kLandlockScopeAbi) return {"Landlock", Condition::good, text};
  return {"Landlock", Condition::limited, text + ": no scope for signals and abstract sockets"};
}

Feature seccomp_listener() {
  const auto listener = probe_seccomp_listener();
  if (listener)
    return {"seccomp notification", Condition::good, "with killable waiting (WAIT_KILLABLE_RECV)"};
  return {"seccomp notification", Condition::missing, listener.error().message()};
}

Feature user_namespaces() {
  const auto text = read_text_file("/proc/sys/user/max_user_namespaces");
  if (!text || trimmed(*text) == "0")
    return {"user namespaces", Condition::limited, "off: an ordinary user cannot use --unshare"};
  return {"user namespaces", Condition::good, "allowed"};
}

Feature unified_cgroups() {
  const auto mounts = mount_table();
  if (!mounts) return {"cgroup v2", Condition::unknown, mounts.error().message()};
  const auto mounted = [&](const char* type) {
    return std::ranges::find(*mounts, type, &MountEntry::type) != mounts->end();
  };
  const bool unified = mounted("cgroup2");
  const bool legacy = mounted("cgroup");
  if (!unified) return {"cgroup v2", Condition::missing, "not mounted"};
  if (legacy)
    return {"cgroup v2", Condition::limited,
            "mounted next to v1, whose hierarchies holdfast does not control"};
  return {"cgroup v2", Condition::good, "mounted"};
}

// Linux 6.9 has the command and all three hooks.
Feature bpf_tokens(const btf* types) {
  if (const auto probed = probe_bpf_tokens(); !probed)
    return {"BPF tokens", Condition::limited, "none: [profile.NAME.bpf] needs Linux 6.9"};
  for (const char* hook : {"bpf_token_create", "bpf_map_create", "bpf_prog_load"})
    if (!has_function(types, std::string("bpf_lsm_") + hook))
      return {"BPF tokens", Condition::limited,
              std::string("present, but their use cannot be decided: no hook ") + hook};
  return {"BPF tokens", Condition::good, "their use is decided by the lsm backend"};
}

// Linux 7.1 stores them in sockets.
Feature socket_labels() {
  if (!has_socket_attributes())
    return {"socket labels", Condition::good, "not in this kernel: kept by holdfast"};
  return {"socket labels", Condition::good, "kept by the kernel"};
}

// A kernel function, and the function that other kernels have instead.
struct Needed {
  const char* purpose;
  const char* name;
  const char* instead;  // null: none
  // Of kernels that ask about namespaces themselves, of the others, or of both.
  enum { both, natively, bridged } where = both;
};

constexpr Needed kNeeded[] = {
    {"decides setns", "bpf_lsm_namespace_install", nullptr, Needed::natively},
    {"decides and records namespaces made", "bpf_lsm_namespace_init", "bpf_lsm_namespace_alloc",
     Needed::natively},
    {"forgets namespaces", "bpf_lsm_namespace_free", nullptr, Needed::natively},
    {"decides setns, unshare", "bpf_lsm_capable", nullptr, Needed::bridged},
    {"decides clone, adds child tasks", "bpf_lsm_task_alloc", nullptr},
    {"forgets a task", "bpf_lsm_task_free", nullptr},
    {"decides user namespaces", "bpf_lsm_userns_create", nullptr},
    {"decides tracing", "bpf_lsm_ptrace_access_check", nullptr},
    {"records namespaces made", "__ns_common_init", "copy_net_ns", Needed::bridged},
    {"forgets namespaces", "__ns_common_free", "proc_free_inum", Needed::bridged},
    {"captures a target", "utsns_install", nullptr, Needed::bridged},
    {"captures a target", "ipcns_install", nullptr, Needed::bridged},
    {"captures a target", "netns_install", nullptr, Needed::bridged},
    {"captures a target", "mntns_install", nullptr, Needed::bridged},
    {"captures a target", "pidns_install", nullptr, Needed::bridged},
    {"captures a target", "cgroupns_install", nullptr, Needed::bridged},
    {"captures a target", "timens_install", nullptr, Needed::bridged},
    {"captures a target", "userns_install", nullptr, Needed::bridged},
    {"captures a moved task", "cgroup_procs_write_start", nullptr},
    {"captures a move", "cgroup_attach_permissions", nullptr},
    {"decides a move", "bpf_lsm_inode_permission", nullptr},
};

// All three, as the lsm backend requires it (backend/lsm/selection.h).
bool asks_natively(const btf* types) {
  return std::ranges::all_of(kNeeded, [types](const Needed& needed) {
    return needed.where != Needed::natively || has_function(types, needed.name) ||
           (needed.instead != nullptr && has_function(types, needed.instead));
  });
}

Feature namespace_rules(const btf* types) {
  if (types == nullptr) return {"namespace rules", Condition::unknown, "no type information"};
  if (asks_natively(types))
    return {"namespace rules", Condition::good, "native: decided by the kernel's own hooks"};
  return {"namespace rules", Condition::good,
          "bridged: decided where the kernel checks capabilities"};
}

void add_functions(std::vector<Feature>& features, const btf* types) {
  const auto elsewhere = asks_natively(types) ? Needed::bridged : Needed::natively;
  for (const Needed& needed : kNeeded) {
    if (needed.where == elsewhere) continue;
    Feature feature{std::string("function ") + needed.name, Condition::good, needed.purpose};
    if (!has_function(types, needed.name)) {
      if (needed.instead != nullptr && has_function(types, needed.instead)) {
        feature.name = std::string("function ") + needed.instead;
      } else {
        feature.condition = types == nullptr ? Condition::unknown : Condition::missing;
        feature.state += types == nullptr ? ": unknown" : ": not in this kernel";
      }
    }
    features.push_back(std::move(feature));
  }
}

}  // namespace

std::vector<Feature> survey_features() {
  const Types types(has_kernel_types() ? btf__load_vmlinux_btf() : nullptr);
  std::vector<Feature> features = {
      kernel_release(),     privilege(),
      bpf_lsm(types.get()), type_information(),
      lockdown(),           ftrace(),
      preemption(),         landlock(),
      seccomp_listener(),   user_namespaces(),
      unified_cgroups(),    bpf_tokens(types.get()),
      socket_labels(),      namespace_rules(types.get()),
  };
  add_functions(features, types.get());
  return features;
}

}  // namespace holdfast::kernel
