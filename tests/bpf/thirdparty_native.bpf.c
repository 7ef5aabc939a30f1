// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * A program of a hook that every kernel has. It refuses all user namespaces, by ways that have functions of their own: a
 * static one, a global one, and a callback.
 */
#include <linux/bpf.h>
#include <linux/errno.h>
#include <linux/types.h>

#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>

struct cred;

char LICENSE[] SEC("license") = "GPL";

__u64 calls = 0;
__u64 steps = 0;

static __noinline int count_call(void) {
  __sync_fetch_and_add(&calls, 1);
  return 0;
}

static long count_step(__u32 i, void* unused) {
  __sync_fetch_and_add(&steps, 1);
  return 0;
}

__noinline int count_steps(__u32 most) {
  bpf_loop(most & 7, count_step, 0, 0);
  return 0;
}

SEC("lsm.s/userns_create")
int BPF_PROG(refuse_user, const struct cred* cred) {
  count_call();
  count_steps(3);
  return -EDQUOT;
}
