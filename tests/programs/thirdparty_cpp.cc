// SPDX-License-Identifier: Apache-2.0
// A loader in C++, with holdfast/hooks.hpp alone.
#include <bpf/bpf.h>
#include <bpf/libbpf.h>

#include <optional>
#include <utility>

#include "bpf/thirdparty_install.skel.h"
#include "bpf/thirdparty_refused.skel.h"
#include "holdfast/hooks.hpp"
#include "programs/thirdparty_tap.h"

using namespace thirdparty;

int main() {
  is(static_cast<long long>(holdfast::hook_status().size()), HOLDFAST_HOOKS, "a status each");
  const int uts = new_namespace(kTypes[0]);
  const unsigned inum = inum_of(uts);
  const auto enter = [uts] { return in_child([uts] { return setns_errno(uts, 0); }); };
  {
    auto loaded = holdfast::HookedSkeleton<thirdparty_install_bpf>::load(
        [](thirdparty_install_bpf& skeleton) { skeleton.rodata->loops = 2; });
    check(static_cast<bool>(loaded), "a skeleton is attached " + loaded.message());
    if (!loaded) return tap_end();
    is(loaded->rodata->loops, 2, "with the constant that was set before");
    const unsigned one = 1;
    bpf_map_update_elem(bpf_map__fd(loaded->maps.denied), &inum, &one, BPF_ANY);
    is(enter(), EPERM, "it refuses");
    const auto moved = std::move(loaded);
    is(enter(), EPERM, "also when it has another owner");
  }
  is(enter(), 0, "and no more when that is gone");

  const std::string procs = "/sys/fs/cgroup/scope";
  mkdir(procs.c_str(), 0755);
  const int scope_fd = open(procs.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  {
    std::optional<holdfast::HookScope> scope(scope_fd);
    auto scoped = holdfast::HookedSkeleton<thirdparty_install_bpf>::load();
    scope.reset();
    if (!check(static_cast<bool>(scoped), "a skeleton for a cgroup " + scoped.message()))
      return tap_end();
    scoped->bss->second_denies = inum;
    is(enter(), 0, "does not hold a task outside");
  }
  const auto sleeper =
      holdfast::HookedSkeleton<thirdparty_refused_bpf>::load([](thirdparty_refused_bpf& skeleton) {
        bpf_program__set_autoload(skeleton.progs.sleeps, true);
      });
  if (kernel_has("bpf_lsm_namespace_install")) {
    check(static_cast<bool>(sleeper), "what may sleep loads for a hook of the kernel");
  } else {
    check(!sleeper && sleeper.error(), "what cannot be bridged does not load");
    check(sleeper.message().find("bpf_copy_from_user") != std::string::npos, "and it says what");
  }
  return tap_end();
}
