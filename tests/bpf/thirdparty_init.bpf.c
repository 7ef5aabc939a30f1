// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * Programs for namespace_init, as Linux 7.4 calls the hook that was proposed as namespace_alloc, and for
 * namespace_install. Each counts the calls of the monitored process and its children, and some refuse them.
 */
#include <linux/bpf.h>
#include <linux/errno.h>
#include <linux/types.h>

#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>

#pragma clang attribute push(__attribute__((preserve_access_index)), apply_to = record)
struct ns_common {
  __u32 ns_type; /* which older kernels do not have */
  unsigned int inum;
};
struct nsset;
#pragma clang attribute pop

char LICENSE[] SEC("license") = "GPL";

__u64 inits = 0;
__u64 installs = 0;
__u32 last_type = 0;

static int made(struct ns_common* ns) {
  last_type = ns->ns_type;
  __sync_fetch_and_add(&inits, 1);
  return 0;
}

SEC("?lsm.s/namespace_init")
int BPF_PROG(count_init, struct ns_common* ns) { return made(ns); }

SEC("?lsm/namespace_alloc")
int BPF_PROG(count_alloc, struct ns_common* ns) { return made(ns); }

/* An errno that the kernel itself does not give here. */
SEC("?lsm.s/namespace_init")
int BPF_PROG(refuse_init, struct ns_common* ns) {
  made(ns);
  return -EDQUOT;
}

SEC("?lsm/namespace_alloc")
int BPF_PROG(refuse_alloc, struct ns_common* ns) {
  made(ns);
  return -EDQUOT;
}

SEC("?lsm.s/namespace_install")
int BPF_PROG(refuse_install, struct nsset* nsset, struct ns_common* ns) {
  __sync_fetch_and_add(&installs, 1);
  return -EDQUOT;
}
