// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * A stand-in for other people's namespace_install programs. It refuses the namespaces in a map, and
 * on the way there uses what programs are made of: every argument of the hook, global data, a ring
 * buffer, a hash, a static and a global function, a loop, several exits, the context kept across
 * calls.
 */
#include <linux/bpf.h>
#include <linux/errno.h>
#include <linux/types.h>

#include <bpf/bpf_core_read.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>

#pragma clang attribute push(__attribute__((preserve_access_index)), apply_to = record)
struct ns_common {
  unsigned int inum;
};
struct nsset {
  unsigned int flags;
};
struct task_struct {
  int pid;
};
#pragma clang attribute pop

char LICENSE[] SEC("license") = "GPL";

struct {
  __uint(type, BPF_MAP_TYPE_HASH);
  __uint(max_entries, 64);
  __type(key, __u32);
  __type(value, __u32);
} denied SEC(".maps");

struct event {
  __u32 inum;
  __u32 flags;
  __u32 pid;
  __s32 verdict;
};

struct {
  __uint(type, BPF_MAP_TYPE_RINGBUF);
  __uint(max_entries, 4096);
} events SEC(".maps");

const volatile __u32 loops = 8;
__u64 calls = 0;        /* of the first program */
__u64 second_calls = 0; /* of the second */
__u64 sum = 0;
__u32 last_inum = 0;
__u32 last_flags = 0;
__s32 last_ret = 0;      /* plus 1000 */
__u32 second_denies = 0; /* an inum; 0: none */

/* A global function: verified on its own. */
__attribute__((noinline)) int count_up(int from) {
  volatile int total = from;
  for (__u32 i = 0; i < loops && i < 64; i++) total += i;
  return total;
}

/* A static one, which gets the context itself. */
static __attribute__((noinline)) __u32 inum_of(unsigned long long* ctx) {
  struct ns_common* ns = (struct ns_common*)ctx[1];
  return ns->inum;
}

static __attribute__((noinline)) int report(__u32 inum, __u32 flags, int verdict) {
  struct event* event = bpf_ringbuf_reserve(&events, sizeof *event, 0);
  if (!event) return 0;
  event->inum = inum;
  event->flags = flags;
  event->pid = bpf_get_current_pid_tgid() >> 32;
  event->verdict = verdict;
  bpf_ringbuf_submit(event, 0);
  return 0;
}

SEC("lsm.s/namespace_install")
int BPF_PROG(first_install, struct nsset* nsset, struct ns_common* ns, int ret) {
  last_ret = ret + 1000;
  if (ret) return ret;
  __sync_fetch_and_add(&calls, 1);
  __u32 inum = inum_of(ctx);
  if (inum != ns->inum) return -EINVAL;
  __u32 flags = BPF_CORE_READ(nsset, flags);
  last_inum = inum;
  last_flags = flags;
  sum += count_up(1);
  if (bpf_map_lookup_elem(&denied, &inum)) {
    report(inum, flags, -EPERM);
    return -EPERM;
  }
  report(inum, flags, 0);
  return 0;
}

SEC("lsm/namespace_install")
int BPF_PROG(second_install, struct nsset* nsset, struct ns_common* ns) {
  __sync_fetch_and_add(&second_calls, 1);
  if (second_denies != 0 && ns->inum == second_denies) return -EACCES;
  return 0;
}
