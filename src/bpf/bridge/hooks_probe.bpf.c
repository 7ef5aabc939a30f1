// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * Programs for the hooks of third parties, by which `holdfast doctor` probes them. They are loaded like those of any author,
 * and refuse to one process what it asks for: to enter a namespace, and to be moved. For all others they do nothing.
 */
#include "bpf/lib/vmlinux.h"

#include <linux/errno.h>

#include <bpf/bpf_helpers.h>

#include "bpf/lib/prototype.bpf.h"

struct nsset;

char LICENSE[] SEC("license") = "Dual BSD/GPL";

/* Written before the process begins. 0: no process is probed. */
__u32 probed_pid = 0;
/* Calls of each program for that process, read afterwards. */
__u64 init_calls = 0;
__u64 free_calls = 0;
__u64 install_calls = 0;
__u64 attach_calls = 0;
/* The number of the namespace that the process has made; 0: none yet. */
__u32 made_inum = 0;

static __always_inline int is_probed(void) { return probed_pid && bpf_get_current_pid_tgid() >> 32 == probed_pid; }

SEC("lsm.s/namespace_init")
int BPF_PROG(probe_init, struct ns_common *ns) {
  if (!is_probed()) return 0;
  made_inum = ns->inum;
  __sync_fetch_and_add(&init_calls, 1);
  return 0;
}

/* Who frees it is not the one who made it. */
SEC("lsm/namespace_free")
int BPF_PROG(probe_free, struct ns_common *ns) {
  if (made_inum && ns->inum == made_inum) __sync_fetch_and_add(&free_calls, 1);
  return 0;
}

SEC("lsm.s/namespace_install")
int BPF_PROG(probe_install, struct nsset *nsset, struct ns_common *ns) {
  if (!is_probed()) return 0;
  __sync_fetch_and_add(&install_calls, 1);
  return -EPERM;
}

SEC("lsm.s/cgroup_attach")
int BPF_PROG(probe_attach, struct task_struct *task, struct cgroup *src_cgrp, struct cgroup *dst_cgrp,
             struct super_block *sb, bool threadgroup, struct cgroup_namespace *cgroup_ns) {
  if (!is_probed()) return 0;
  __sync_fetch_and_add(&attach_calls, 1);
  return -EPERM;
}
