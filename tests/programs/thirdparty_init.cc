// SPDX-License-Identifier: Apache-2.0
// Loads thirdparty_init.bpf.o: both names of one hook, refusals where the kernel has it itself, and the limit to a
// cgroup. It needs the cgroup2 hierarchy at /sys/fs/cgroup.
#include <bpf/libbpf.h>
#include <sys/stat.h>

#include <cerrno>
#include <fstream>

#include "bpf/thirdparty_init.skel.h"
#include "holdfast/hooks.h"
#include "programs/thirdparty_tap.h"

namespace {

using namespace thirdparty;

constexpr const char* kInside = "/sys/fs/cgroup/thirdparty_init";
constexpr const char* kDeeper = "/sys/fs/cgroup/thirdparty_init/a";
constexpr const char* kOutside = "/sys/fs/cgroup/thirdparty_other";

// The object with one of its programs attached; null: it did not load or attach, and says why.
thirdparty_init_bpf* attach_only(const char* name) {
  thirdparty_init_bpf* skeleton = thirdparty_init_bpf__open();
  bpf_program__set_autoload(bpf_object__find_program_by_name(skeleton->obj, name), true);
  if (thirdparty_init_bpf__load(skeleton) == 0 && thirdparty_init_bpf__attach(skeleton) == 0)
    return skeleton;
  std::printf("# %s\n", holdfast_hooks_error());
  thirdparty_init_bpf__destroy(skeleton);
  return nullptr;
}

// In a child of the cgroup. No cgroup: where this process is.
int in_cgroup(const char* cgroup, const std::function<int()>& act) {
  return in_child([&] {
    if (cgroup != nullptr) {
      std::ofstream procs(std::string(cgroup) + "/cgroup.procs");
      procs << getpid() << std::flush;
      if (!procs) return 250;
    }
    return act();
  });
}

int make_uts() { return unshare(CLONE_NEWUTS) == 0 ? 0 : errno; }

void try_count(const char* name) {
  thirdparty_init_bpf* skeleton = attach_only(name);
  if (!check(skeleton != nullptr, std::string(name) + ": it attaches")) return;
  const unsigned long long before = skeleton->bss->inits;
  is(in_child(make_uts), 0, std::string(name) + ": a namespace is made");
  is(static_cast<long long>(skeleton->bss->inits - before), 1,
     std::string(name) + ": it was seen once");
  is(skeleton->bss->last_type, CLONE_NEWUTS, std::string(name) + ": with its type");
  thirdparty_init_bpf__destroy(skeleton);
  is(in_child(make_uts), 0, std::string(name) + ": and one is made without it");
}

// By unshare(), which asks capable() on a kernel without the hook.
int refusal_errno(bool native, int type) {
  return native || type == CLONE_NEWUSER ? EDQUOT : EPERM;
}

void try_refusal(const char* name, bool native) {
  thirdparty_init_bpf* skeleton = attach_only(name);
  if (!check(skeleton != nullptr, std::string(name) + ": it attaches")) return;
  for (const Type& type : kTypes)
    is(in_child([&] { return unshare(type.flag) == 0 ? 0 : errno; }),
       refusal_errno(native, type.flag), std::string(name) + ": refused: " + type.name);
  thirdparty_init_bpf__destroy(skeleton);
  is(in_child(make_uts), 0, std::string(name) + ": one is made without it");
}

void try_limit(const char* name, int refusal) {
  const int scope = open(kInside, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  holdfast_hooks_limit_to_cgroup(scope);
  thirdparty_init_bpf* skeleton = attach_only(name);
  holdfast_hooks_limit_to_cgroup(-1);
  if (!check(skeleton != nullptr, "limited: it attaches")) return;
  const auto counted = [&](const char* cgroup, int wanted) {
    const unsigned long long before = skeleton->bss->inits;
    is(in_cgroup(cgroup, make_uts), wanted,
       std::string("limited: the answer in ") + (cgroup ? cgroup : "the root"));
    return static_cast<long long>(skeleton->bss->inits - before);
  };
  is(counted(nullptr, 0), 0, "limited: it does not run in the root");
  is(counted(kOutside, 0), 0, "limited: nor in another cgroup");
  is(counted(kInside, refusal), 1, "limited: it runs in its cgroup");
  is(counted(kDeeper, refusal), 1, "limited: and below");
  thirdparty_init_bpf__destroy(skeleton);
  close(scope);
}

void try_limited_install(int refusal) {
  const int fd = new_namespace(kTypes[0]);
  const int scope = open(kInside, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  holdfast_hooks_limit_to_cgroup(scope);
  thirdparty_init_bpf* skeleton = attach_only("refuse_install");
  holdfast_hooks_limit_to_cgroup(-1);
  if (!check(skeleton != nullptr, "limited install: it attaches")) return;
  const auto enter = [fd] { return setns_errno(fd, CLONE_NEWUTS); };
  is(in_cgroup(nullptr, enter), 0, "limited install: not in the root");
  is(in_cgroup(kOutside, enter), 0, "limited install: not in another cgroup");
  is(static_cast<long long>(skeleton->bss->installs), 0, "limited install: it did not run there");
  is(in_cgroup(kInside, enter), refusal, "limited install: refused in its cgroup");
  is(in_cgroup(kDeeper, enter), refusal, "limited install: and below");
  thirdparty_init_bpf__destroy(skeleton);
  close(scope);
  close(fd);
}

}  // namespace

int main() {
  is(holdfast_hooks_enable(), 0, "the hooks are enabled");
  for (const char* directory : {kInside, kDeeper, kOutside}) mkdir(directory, 0755);
  const bool native = kernel_has("bpf_lsm_namespace_init") || kernel_has("bpf_lsm_namespace_alloc");
  try_count("count_init");
  try_count("count_alloc");
  try_refusal("refuse_init", native);
  try_refusal("refuse_alloc", native);
  try_limit("count_init", 0);
  try_limit("refuse_init", refusal_errno(native, CLONE_NEWUTS));
  try_limited_install(kernel_has("bpf_lsm_namespace_install") ? EDQUOT : EPERM);
  for (const char* directory : {kDeeper, kInside, kOutside}) rmdir(directory);
  return tap_end();
}
