// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * A stand-in for other people's namespace_alloc programs that refuse. It knows tasks by their process id, and refuses to
 * each the types in its entry. It counts what it is asked (without a number) and what it is told (with one).
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
#pragma clang attribute pop

char LICENSE[] SEC("license") = "GPL";

struct {
  __uint(type, BPF_MAP_TYPE_HASH);
  __uint(max_entries, 4096);
  __type(key, __u32);   /* a process id */
  __type(value, __u32); /* CLONE_NEW*: refused */
} refused SEC(".maps");

struct {
  __uint(type, BPF_MAP_TYPE_TASK_STORAGE);
  __uint(map_flags, BPF_F_NO_PREALLOC);
  __type(key, int);
  __type(value, __u32);
} stored SEC(".maps");

__u64 asked = 0;
__u64 told = 0;
__u32 asked_types = 0; /* CLONE_NEW* */
__u32 told_types = 0;
__u32 last_told = 0; /* its number */

SEC("?lsm.s/namespace_alloc")
int BPF_PROG(refuse, struct ns_common* ns) {
  __u32 pid = bpf_get_current_pid_tgid() >> 32;
  __u32* types = bpf_map_lookup_elem(&refused, &pid);
  if (!types) return 0;
  if (ns->inum) {
    last_told = ns->inum;
    __sync_fetch_and_or(&told_types, ns->ns_type);
    __sync_fetch_and_add(&told, 1);
    return 0;
  }
  __sync_fetch_and_or(&asked_types, ns->ns_type);
  __sync_fetch_and_add(&asked, 1);
  return *types & ns->ns_type ? -EDQUOT : 0;
}

/* The same, of which the answer is in task storage. */
SEC("?lsm/namespace_init")
int BPF_PROG(refuse_stored, struct ns_common* ns) {
  struct task_struct* task = (void*)bpf_get_current_task_btf();
  __u32* types = bpf_task_storage_get(&stored, task, 0, 0);
  return types && *types & ns->ns_type ? -EDQUOT : 0;
}
