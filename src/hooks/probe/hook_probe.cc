// SPDX-License-Identifier: Apache-2.0
//
// All is done in a child of doctor, for two reasons: libbpf keeps the handlers of the hooks until
// its process ends, and all programs are detached then, however it ends.
#include "hooks/probe/hook_probe.h"

#include <bpf/libbpf.h>
#include <fcntl.h>
#include <sched.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <cerrno>
#include <cstdint>
#include <cstring>
#include <memory>
#include <span>
#include <string_view>

#include "base/fd.h"
#include "bpf/hooks_probe.skel.h"
#include "holdfast/hooks.h"
#include "kernel/cgroup/cgroup.h"
#include "kernel/probe.h"
#include "kernel/proc/mount_table.h"
#include "kernel/proc/proc.h"
#include "kernel/process/namespaces.h"

namespace holdfast::hooks {
namespace {

// What the probed process was told, each an errno, and how often each program ran.
struct Findings {
  std::int32_t load_error;  // of loading or attaching; the rest is not known then
  std::int32_t unshare_error, install_error, attach_error;
  std::uint64_t init_calls, free_calls, install_calls, attach_calls;
  char load_detail[256];
};

constexpr int kFreeWaitMs = 2000;  // a namespace may be freed after a grace period
constexpr int kFreeStepMs = 20;

struct Destroy {
  void operator()(hooks_probe_bpf* skeleton) const { hooks_probe_bpf__destroy(skeleton); }
};
using Skeleton = std::unique_ptr<hooks_probe_bpf, Destroy>;

// Empty: none is mounted, or it cannot be told.
std::string own_cgroup_directory() {
  const auto mounts = kernel::mount_table();
  const auto proc = kernel::Proc::open();
  if (!mounts || !proc) return {};
  const auto self = proc->task(getpid());
  if (!self) return {};
  const auto cgroup = self->cgroup();
  const auto mount = std::ranges::find(*mounts, "cgroup2", &kernel::MountEntry::type);
  return cgroup && mount != mounts->end() ? mount->point + *cgroup : std::string();
}

int errno_of(bool succeeded) { return succeeded ? 0 : errno; }

// The probed process. It begins when it can read `go`.
[[noreturn]] void ask(int go, int answers, const std::string& cgroup) {
  Findings found = {};
  char byte = 0;
  if (read(go, &byte, 1) != 1) _exit(1);
  found.unshare_error = errno_of(unshare(CLONE_NEWUTS) == 0);
  const auto own = kernel::open_namespace_file("/proc/self/ns/uts");
  found.install_error = own ? errno_of(setns(own->get(), CLONE_NEWUTS) == 0) : own.error().code;
  // A move to where it is: the kernel asks about that as well, and nothing changes.
  const auto moved = kernel::move_process(cgroup, getpid());
  found.attach_error = moved ? 0 : moved.error().code;
  _exit(write(answers, &found, sizeof found) == sizeof found ? 0 : 1);
}

Findings failed_to_load(int error) {
  Findings found = {};
  found.load_error = error != 0 ? error : EINVAL;
  std::strncpy(found.load_detail, holdfast_hooks_error(), sizeof found.load_detail - 1);
  return found;
}

// Of a hook that this kernel does not offer, nothing is loaded.
void select(hooks_probe_bpf& skeleton, std::span<const holdfast_hook_status> hooks) {
  for (const holdfast_hook_status& hook : hooks) {
    const std::string section = std::string("/") + hook.hook;
    bpf_program* program = nullptr;
    bpf_object__for_each_program(program, skeleton.obj) {
      if (std::string_view(bpf_program__section_name(program)).ends_with(section))
        bpf_program__set_autoload(program, hook.state != HOLDFAST_HOOK_UNAVAILABLE);
    }
  }
}

// In the child.
Findings probe(std::span<const holdfast_hook_status> hooks) {
  if (const int error = holdfast_hooks_enable(); error != 0) return failed_to_load(-error);
  Skeleton skeleton(hooks_probe_bpf__open());
  if (!skeleton) return failed_to_load(errno);
  select(*skeleton, hooks);
  if (const int error = hooks_probe_bpf__load(skeleton.get()); error != 0)
    return failed_to_load(-error);
  if (const int error = hooks_probe_bpf__attach(skeleton.get()); error != 0)
    return failed_to_load(-error);
  const std::string cgroup = own_cgroup_directory();
  int go[2] = {-1, -1};
  int answers[2] = {-1, -1};
  if (pipe2(go, O_CLOEXEC) != 0 || pipe2(answers, O_CLOEXEC) != 0) return failed_to_load(errno);
  const pid_t probed = fork();
  if (probed < 0) return failed_to_load(errno);
  if (probed == 0) ask(go[0], answers[1], cgroup);
  auto& data = *skeleton->bss;
  std::atomic_ref(data.probed_pid).store(static_cast<__u32>(probed));
  Findings found = {};
  const bool begun = write(go[1], "", 1) == 1;
  close(answers[1]);
  const bool answered = begun && read(answers[0], &found, sizeof found) == sizeof found;
  waitpid(probed, nullptr, 0);
  if (!answered) return failed_to_load(ECHILD);
  const auto read_count = [](__u64& count) { return std::atomic_ref(count).load(); };
  for (int waited_ms = 0; read_count(data.free_calls) == 0 && waited_ms < kFreeWaitMs;
       waited_ms += kFreeStepMs)
    usleep(kFreeStepMs * 1000);
  found.init_calls = read_count(data.init_calls);
  found.free_calls = read_count(data.free_calls);
  found.install_calls = read_count(data.install_calls);
  found.attach_calls = read_count(data.attach_calls);
  return found;
}

Findings probe_in_child(std::span<const holdfast_hook_status> hooks) {
  int results[2] = {-1, -1};
  if (pipe2(results, O_CLOEXEC) != 0) return failed_to_load(errno);
  const Fd reader(results[0]);
  Fd writer(results[1]);
  const pid_t child = fork();
  if (child < 0) return failed_to_load(errno);
  if (child == 0) {
    libbpf_set_print(nullptr);
    const Findings found = probe(hooks);
    _exit(write(writer.get(), &found, sizeof found) == sizeof found ? 0 : 1);
  }
  writer.reset();
  Findings found = {};
  const bool whole = read(reader.get(), &found, sizeof found) == sizeof found;
  waitpid(child, nullptr, 0);
  return whole ? found : failed_to_load(ECHILD);
}

HookProbe judge(const holdfast_hook_status& hook, const Findings& found) {
  using Outcome = HookProbe::Outcome;
  const std::string_view name = hook.hook;
  HookProbe probe{hook.hook, Outcome::failed, {}};
  if (hook.state == HOLDFAST_HOOK_UNAVAILABLE) return {hook.hook, Outcome::unavailable, hook.how};
  if (found.load_error != 0) {
    // The kernel seemed able but refused the programs: an author's program would fail to load too.
    if (found.load_error == EPERM || found.load_error == EOPNOTSUPP)
      probe.outcome = Outcome::unavailable;
    probe.detail = std::string("its program was not loaded: ") + strerrordesc_np(found.load_error);
    if (found.load_detail[0] != '\0') probe.detail += std::string(" (") + found.load_detail + ")";
    return probe;
  }
  const auto refused = [&](std::uint64_t calls, int error, const char* what) {
    if (calls == 0 && error != 0 && error != EPERM) {
      probe.outcome = Outcome::unavailable;
      probe.detail = std::string(what) + " could not be tried: " + strerrordesc_np(error);
    } else if (calls == 0) {
      probe.detail = std::string("its program did not run for ") + what + ", which " +
                     (error != 0 ? "was refused" : "succeeded");
    } else if (error != EPERM) {
      probe.detail = std::string(what) + " was refused by the program, and not by the kernel";
    } else {
      probe.outcome = Outcome::held;
      probe.detail = std::string(what) + " was refused";
    }
  };
  const auto told = [&](std::uint64_t calls, const char* what) {
    if (calls != 0) probe.outcome = Outcome::held;
    probe.detail = std::string(what) + (calls != 0 ? " was reported" : " was not reported");
  };
  if (name == "namespace_install") {
    refused(found.install_calls, found.install_error, "an entry into a namespace");
  } else if (name == "cgroup_attach") {
    refused(found.attach_calls, found.attach_error, "a move between cgroups");
  } else if (found.unshare_error != 0) {
    probe.detail = std::string("no namespace was made: ") + strerrordesc_np(found.unshare_error);
  } else if (name == "namespace_free") {
    told(found.free_calls, "the end of a namespace");
  } else {
    told(found.init_calls, "a new namespace");
  }
  return probe;
}

}  // namespace

std::vector<HookProbe> probe_hooks() {
  std::array<holdfast_hook_status, HOLDFAST_HOOKS> hooks = {};
  if (holdfast_hooks_status(hooks.data(), hooks.size()) < 0) return {};
  std::string reason;
  const auto active = kernel::is_lsm_active("bpf");
  if (!kernel::may_load_bpf())
    reason = "needs root";
  else if (!active)
    reason = active.error().message();
  else if (!*active)
    reason = "BPF LSM is not active";
  std::vector<HookProbe> probes;
  if (!reason.empty()) {
    for (const holdfast_hook_status& hook : hooks)
      probes.push_back({hook.hook, HookProbe::Outcome::unavailable, reason});
    return probes;
  }
  const Findings found = probe_in_child(hooks);
  for (const holdfast_hook_status& hook : hooks) probes.push_back(judge(hook, found));
  return probes;
}

}  // namespace holdfast::hooks
