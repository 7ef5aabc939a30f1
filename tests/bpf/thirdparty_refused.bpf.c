// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * Programs that a kernel with the hooks would take and that cannot be bridged: each has to be
 * refused when it is loaded. None is loaded unless asked for.
 */
#include <linux/bpf.h>
#include <linux/errno.h>
#include <linux/types.h>

#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>

struct ns_common {
  unsigned int inum;
} __attribute__((preserve_access_index));
struct nsset;
struct inode;

char LICENSE[] SEC("license") = "GPL";

struct {
  __uint(type, BPF_MAP_TYPE_PROG_ARRAY);
  __uint(max_entries, 1);
  __type(key, __u32);
  __type(value, __u32);
} next SEC(".maps");

struct {
  __uint(type, BPF_MAP_TYPE_INODE_STORAGE);
  __uint(map_flags, BPF_F_NO_PREALLOC);
  __type(key, int);
  __type(value, __u32);
} of_inode SEC(".maps");

__u32 monitored = 0;

SEC("?lsm.s/namespace_install")
int BPF_PROG(sleeps, struct nsset* nsset, struct ns_common* ns) {
  char word[8];
  return bpf_copy_from_user(word, sizeof word, (void*)0x1000) ? -EPERM : 0;
}

SEC("?lsm/namespace_install")
int BPF_PROG(tail_calls, struct nsset* nsset, struct ns_common* ns) {
  bpf_tail_call(ctx, &next, 0);
  return 0;
}

SEC("?lsm/namespace_install")
int BPF_PROG(lsm_only, struct nsset* nsset, struct ns_common* ns) {
  return bpf_inode_storage_get(&of_inode, (struct inode*)ns, 0, 0) ? -EPERM : 0;
}

SEC("?lsm.s/namespace_alloc")
int BPF_PROG(refuses_alloc, struct ns_common* ns) {
  return bpf_get_current_pid_tgid() >> 32 == monitored ? -EPERM : 0;
}

SEC("?lsm/namespace_install")
int BPF_PROG(bad_access, struct nsset* nsset, struct ns_common* ns) {
  return *(volatile int*)(__u64)ns->inum; /* the line that the verifier's log has to show */
}
