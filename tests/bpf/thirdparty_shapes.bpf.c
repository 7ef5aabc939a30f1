// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * A stand-in for other people's programs of less usual shapes: a verdict that is made in
 * subprograms called in tail position, with the context handed down; a callback for bpf_loop(); a
 * context that is kept on the stack across calls; a map value under a spin lock; per-CPU data;
 * events that want the context; a switch over types with an exit for each.
 */
#include <linux/bpf.h>
#include <linux/errno.h>
#include <linux/types.h>

#include <bpf/bpf_core_read.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>

struct ns_common {
  unsigned int inum;
} __attribute__((preserve_access_index));
struct nsset {
  unsigned int flags;
} __attribute__((preserve_access_index));

char LICENSE[] SEC("license") = "GPL";

struct guarded {
  struct bpf_spin_lock lock;
  __u32 calls;
};

struct {
  __uint(type, BPF_MAP_TYPE_ARRAY);
  __uint(max_entries, 1);
  __type(key, __u32);
  __type(value, struct guarded);
} guarded SEC(".maps");

struct {
  __uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
  __uint(max_entries, 1);
  __type(key, __u32);
  __type(value, __u64);
} per_cpu SEC(".maps");

struct {
  __uint(type, BPF_MAP_TYPE_PERF_EVENT_ARRAY);
  __uint(key_size, sizeof(int));
  __uint(value_size, sizeof(int));
} samples SEC(".maps");

__u32 denied[16] = {}; /* inums; 0 ends them */
__u64 looked_at = 0;
__u64 sampled = 0;

struct search {
  __u32 inum;
  __u32 found;
};

static long compare(__u32 index, void* context) {
  struct search* search = context;
  __sync_fetch_and_add(&looked_at, 1);
  if (index >= 16 || denied[index] == 0) return 1;
  if (denied[index] != search->inum) return 0;
  search->found = 1;
  return 1;
}

static __attribute__((noinline)) int judge(unsigned long long* ctx, int weight) {
  struct ns_common* ns = (struct ns_common*)ctx[1];
  struct search search = {.inum = ns->inum};
  bpf_loop(16, compare, &search, 0);
  if (!search.found) return 0;
  return weight > 1 ? -EACCES : -EPERM;
}

static __attribute__((noinline)) int weigh(unsigned long long* ctx, int weight) {
  switch (weight) {
    case 0:
      return judge(ctx, 1);
    case 1:
      return judge(ctx, 2);
    default:
      return judge(ctx, weight - 1);
  }
}

static __attribute__((noinline)) void count(void) {
  __u32 zero = 0;
  struct guarded* value = bpf_map_lookup_elem(&guarded, &zero);
  __u64* mine = bpf_map_lookup_elem(&per_cpu, &zero);
  if (!value || !mine) return;
  bpf_spin_lock(&value->lock);
  value->calls++;
  bpf_spin_unlock(&value->lock);
  (*mine)++;
}

SEC("lsm.s/namespace_install")
int BPF_PROG(shaped_install, struct nsset* nsset, struct ns_common* ns) {
  unsigned long long* volatile kept = ctx; /* spilled, and read back with its type */
  count();
  return weigh(kept, BPF_CORE_READ(nsset, flags) & 3);
}

/* What wants the context gets the one that the kernel made, and cannot have `ret`. */
SEC("lsm/namespace_install")
int BPF_PROG(sampling_install, struct nsset* nsset, struct ns_common* ns) {
  __u32 inum = ns->inum;
  bpf_perf_event_output(ctx, &samples, BPF_F_CURRENT_CPU, &inum, sizeof inum);
  __sync_fetch_and_add(&sampled, 1);
  return 0;
}
