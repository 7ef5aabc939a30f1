// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * A stand-in for other people's "lock on entry": namespaces that the monitored process makes are
 * known; a task that enters one may afterwards enter no other; the maker itself may.
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
struct nsset {
  unsigned int flags;
};
#pragma clang attribute pop

char LICENSE[] SEC("license") = "GPL";

struct {
  __uint(type, BPF_MAP_TYPE_HASH);
  __uint(max_entries, 1024);
  __type(key, __u32);
  __type(value, __u32); /* its type */
} known SEC(".maps");

struct {
  __uint(type, BPF_MAP_TYPE_TASK_STORAGE);
  __uint(map_flags, BPF_F_NO_PREALLOC);
  __type(key, int);
  __type(value, __u32);
} locked SEC(".maps");

__u32 monitored = 0; /* a process id */
__u64 allocs = 0;
__u64 frees = 0;
__u64 installs = 0;

SEC("lsm.s/namespace_alloc")
int BPF_PROG(lock_alloc, struct ns_common* ns) {
  if (bpf_get_current_pid_tgid() >> 32 != monitored) return 0;
  __u32 inum = ns->inum;
  __u32 type = ns->ns_type;
  bpf_map_update_elem(&known, &inum, &type, BPF_ANY);
  __sync_fetch_and_add(&allocs, 1);
  return 0;
}

SEC("lsm/namespace_free")
void BPF_PROG(lock_free, struct ns_common* ns) {
  __u32 inum = ns->inum;
  if (bpf_map_delete_elem(&known, &inum) == 0) __sync_fetch_and_add(&frees, 1);
}

SEC("lsm.s/namespace_install")
int BPF_PROG(lock_install, struct nsset* nsset, struct ns_common* ns) {
  __sync_fetch_and_add(&installs, 1);
  struct task_struct* task = (void*)bpf_get_current_task_btf();
  if (bpf_get_current_pid_tgid() >> 32 == monitored) return 0;
  __u32 inum = ns->inum;
  __u32* type = bpf_map_lookup_elem(&known, &inum);
  __u32* lock = bpf_task_storage_get(&locked, task, 0, 0);
  if (lock && *lock) return type && *type == ns->ns_type ? 0 : -EPERM;
  if (!type) return 0;
  lock = bpf_task_storage_get(&locked, task, 0, BPF_LOCAL_STORAGE_GET_F_CREATE);
  if (!lock) return -ENOMEM; /* no entry without a lock */
  *lock = 1;
  return 0;
}
