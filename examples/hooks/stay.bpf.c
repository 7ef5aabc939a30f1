// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * Tasks stay in the cgroup they are in. It is written for a kernel with the cgroup_attach hook, and
 * does not use holdfast. Limit it to a subtree when you load it, or no task of the machine can move.
 */
#include <linux/bpf.h>
#include <linux/errno.h>
#include <linux/types.h>
#include <stdbool.h>

#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>

struct task_struct {
  int pid;
} __attribute__((preserve_access_index));
struct cgroup;
struct super_block;
struct cgroup_namespace;

char LICENSE[] SEC("license") = "GPL";

__u64 refused = 0;
__u32 last_pid = 0;

SEC("lsm.s/cgroup_attach")
int BPF_PROG(stay, struct task_struct* task, struct cgroup* src_cgrp, struct cgroup* dst_cgrp,
             struct super_block* sb, bool threadgroup, struct cgroup_namespace* cgroup_ns) {
  if (src_cgrp == dst_cgrp) return 0;
  __sync_fetch_and_add(&refused, 1);
  last_pid = task->pid;
  return -EPERM;
}
