// SPDX-License-Identifier: Apache-2.0
// thirdparty_cost: what setns() and a cgroup move cost with no program, with an empty LSM program,
// and with an empty program bridged, as lines "CALL SITUATION NS". With tools/vm --icount 2 ns are
// one instruction.
#include <bpf/libbpf.h>

#include <algorithm>
#include <ctime>

#include "bpf/thirdparty_empty.skel.h"
#include "holdfast/hooks.h"
#include "programs/thirdparty_tap.h"

namespace {

using namespace thirdparty;

constexpr int kBatches = 20;
constexpr int kCalls = 100;

long now_ns() {
  timespec now{};
  clock_gettime(CLOCK_MONOTONIC, &now);
  return now.tv_sec * 1'000'000'000L + now.tv_nsec;
}

// The least of the batches: the others were interrupted.
long least_ns(const std::function<bool(int)>& call) {
  long least = 0;
  for (int batch = 0; batch < kBatches; batch++) {
    const long start = now_ns();
    for (int i = 0; i < kCalls; i++) {
      if (!call(i)) std::exit(1);
    }
    const long taken = (now_ns() - start) / kCalls;
    least = least == 0 ? taken : std::min(least, taken);
  }
  return least;
}

void measure(const char* situation, int uts, const int (&procs)[2]) {
  const long setns_ns = least_ns([uts](int) { return setns(uts, CLONE_NEWUTS) == 0; });
  const long move_ns = least_ns([&procs](int i) { return write(procs[i % 2], "0", 1) == 1; });
  std::printf("setns %s %ld\nmove %s %ld\n", situation, setns_ns, situation, move_ns);
  std::fflush(stdout);
}

thirdparty_empty_bpf* attach(const char* install, const char* move) {
  thirdparty_empty_bpf* skeleton = thirdparty_empty_bpf__open();
  for (const char* name : {install, move}) {
    bpf_program__set_autoload(bpf_object__find_program_by_name(skeleton->obj, name), true);
  }
  if (thirdparty_empty_bpf__load(skeleton) != 0 || thirdparty_empty_bpf__attach(skeleton) != 0)
    std::exit(1);
  return skeleton;
}

}  // namespace

int main() {
  const int uts = open("/proc/self/ns/uts", O_RDONLY | O_CLOEXEC);
  mkdir("/sys/fs/cgroup/a", 0755);
  mkdir("/sys/fs/cgroup/b", 0755);
  const int procs[2] = {open("/sys/fs/cgroup/a/cgroup.procs", O_WRONLY | O_CLOEXEC),
                        open("/sys/fs/cgroup/b/cgroup.procs", O_WRONLY | O_CLOEXEC)};
  if (holdfast_hooks_enable() != 0) return 1;
  measure("none", uts, procs);
  thirdparty_empty_bpf* skeleton = attach("floor_install", "floor_attach");
  measure("floor", uts, procs);
  thirdparty_empty_bpf__destroy(skeleton);
  skeleton = attach("bridged_install", "bridged_attach");
  measure("bridged", uts, procs);
  thirdparty_empty_bpf__destroy(skeleton);
  return 0;
}
