// SPDX-License-Identifier: Apache-2.0
// Loads thirdparty_shapes.bpf.o as any program would, and shows that it enforces and that what it
// does on the way happens once.
#include <bpf/bpf.h>
#include <bpf/libbpf.h>

#include "bpf/thirdparty_shapes.skel.h"
#include "holdfast/hooks.h"
#include "programs/thirdparty_tap.h"

namespace {

using namespace thirdparty;

struct Guarded {
  unsigned lock, calls;
};

unsigned guarded_calls(const thirdparty_shapes_bpf* skeleton) {
  Guarded value{};
  const unsigned zero = 0;
  bpf_map_lookup_elem(bpf_map__fd(skeleton->maps.guarded), &zero, &value);
  return value.calls;
}

unsigned received = 0;
unsigned last_inum = 0;

void receive(void*, int, void* data, __u32) {
  received++;
  std::memcpy(&last_inum, data, sizeof last_inum);
}

}  // namespace

int main() {
  is(holdfast_hooks_enable(), 0, "the hooks are enabled");
  thirdparty_shapes_bpf* skeleton = thirdparty_shapes_bpf__open_and_load();
  if (!check(skeleton != nullptr && thirdparty_shapes_bpf__attach(skeleton) == 0, "it attaches"))
    return tap_end();
  perf_buffer* samples =
      perf_buffer__new(bpf_map__fd(skeleton->maps.samples), 8, receive, nullptr, nullptr, nullptr);
  check(samples != nullptr, "its samples can be read");
  for (const Type& type : kTypes) {
    const std::string name = type.name;
    const int fd = new_namespace(type);
    const unsigned inum = inum_of(fd);
    const unsigned before = guarded_calls(skeleton);
    const unsigned long long sampled = skeleton->bss->sampled;
    perf_buffer__consume(samples);  // of the entries before
    received = 0;
    is(in_child([&] { return setns_errno(fd, type.flag); }), 0, name + ": an allowed setns works");
    is(guarded_calls(skeleton) - before, 1, name + ": it ran once, under its lock");
    is(static_cast<long long>(skeleton->bss->sampled - sampled), 1, name + ": so did the other");
    perf_buffer__consume(samples);
    is(received, 1, name + ": one sample arrived");
    is(last_inum, inum, name + ": of this namespace");
    skeleton->bss->denied[0] = 1;
    skeleton->bss->denied[1] = inum;
    is(in_child([&] { return setns_errno(fd, type.flag); }), EPERM, name + ": a refused one fails");
    skeleton->bss->denied[1] = 0;
    is(in_child([&] { return setns_errno(fd, type.flag); }), 0, name + ": allowed again, it works");
    close(fd);
  }
  check(skeleton->bss->looked_at > 0, "its callback ran");
  perf_buffer__free(samples);
  thirdparty_shapes_bpf__destroy(skeleton);
  const int uts = new_namespace(kTypes[0]);
  is(in_child([uts] { return setns_errno(uts, 0); }), 0, "free when it is gone");
  return tap_end();
}
