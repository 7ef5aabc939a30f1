// SPDX-License-Identifier: Apache-2.0
// The code for hooks that the kernel has itself, on a hook that every kernel has: how a program is attached, and limited
// to a cgroup. It needs the cgroup2 hierarchy at /sys/fs/cgroup.
#include <bpf/bpf.h>
#include <bpf/btf.h>
#include <bpf/libbpf.h>
#include <sys/stat.h>

#include <cerrno>
#include <fstream>
#include <memory>

#include "bpf/thirdparty_native.skel.h"
#include "hooks/native.h"
#include "programs/thirdparty_tap.h"

namespace {

using namespace thirdparty;
using holdfast::hooks::Choices;
using holdfast::hooks::Hook;
using holdfast::hooks::NativeProgram;
using holdfast::hooks::Offer;

constexpr const char* kInside = "/sys/fs/cgroup/thirdparty_native";
constexpr const char* kDeeper = "/sys/fs/cgroup/thirdparty_native/a";
constexpr const char* kOutside = "/sys/fs/cgroup/thirdparty_elsewhere";

Offer offer;
Choices choices;
std::unique_ptr<NativeProgram> program;
std::string failure;

int prepare(bpf_program* loaded, bpf_prog_load_opts* options, long hook) {
  program = std::make_unique<NativeProgram>(static_cast<Hook>(hook), offer);
  const auto prepared = program->prepare(loaded, *options, choices);
  if (prepared) return 0;
  failure = prepared.error().message();
  return -prepared.error().code;
}

int attach(const bpf_program* loaded, long, bpf_link** link) {
  *link = bpf_program__attach_trace(loaded);
  return *link != nullptr ? 0 : -errno;
}

// From now on the section is handled as one of this hook would be.
int handle(Hook hook) {
  LIBBPF_OPTS(libbpf_prog_handler_opts, options);
  options.cookie = static_cast<long>(hook);
  options.prog_prepare_load_fn = prepare;
  options.prog_attach_fn = attach;
  return libbpf_register_prog_handler("lsm.s/userns_create", BPF_PROG_TYPE_LSM, BPF_LSM_MAC,
                                      &options);
}

int make_user() { return unshare(CLONE_NEWUSER) == 0 ? 0 : errno; }

int in_cgroup(const char* cgroup) {
  return in_child([&] {
    std::ofstream procs(std::string(cgroup) + "/cgroup.procs");
    procs << getpid() << std::flush;
    return procs ? make_user() : 250;
  });
}

void try_program(int scope, const std::string& name, int elsewhere) {
  choices.scope_cgroup_fd = scope;
  thirdparty_native_bpf* skeleton = thirdparty_native_bpf__open_and_load();
  if (!check(skeleton != nullptr && thirdparty_native_bpf__attach(skeleton) == 0,
             name + ": it attaches")) {
    std::printf("# %s\n", failure.c_str());
    return;
  }
  is(in_child(make_user), elsewhere, name + ": the answer in the root");
  is(in_cgroup(kOutside), elsewhere, name + ": in another cgroup");
  is(static_cast<long long>(skeleton->bss->calls), elsewhere == 0 ? 0 : 2,
     name + ": how often it ran there");
  is(in_cgroup(kInside), EDQUOT, name + ": the answer in its cgroup");
  is(in_cgroup(kDeeper), EDQUOT, name + ": and below");
  is(static_cast<long long>(skeleton->bss->calls), elsewhere == 0 ? 2 : 4,
     name + ": how often it ran in all");
  is(static_cast<long long>(skeleton->bss->steps), 3 * static_cast<long long>(skeleton->bss->calls),
     name + ": and its other functions");
  thirdparty_native_bpf__destroy(skeleton);
  is(in_child(make_user), 0, name + ": free when it is detached");
}

}  // namespace

int main() {
  btf* kernel = btf__load_vmlinux_btf();
  offer.state = Offer::State::kNative;
  offer.native_id = static_cast<std::uint32_t>(
      btf__find_by_name_kind(kernel, "bpf_lsm_userns_create", BTF_KIND_FUNC));
  btf__free(kernel);
  for (const char* directory : {kInside, kDeeper, kOutside}) mkdir(directory, 0755);
  const int scope = open(kInside, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  check(scope >= 0, "there is a cgroup");

  const int id = handle(Hook::kInit);
  check(id > 0, "the section is handled");
  try_program(-1, "without a limit", EDQUOT);
  try_program(scope, "with a limit", 0);
  libbpf_unregister_prog_handler(id);
  for (const char* directory : {kDeeper, kInside, kOutside}) rmdir(directory);
  return tap_end();
}
