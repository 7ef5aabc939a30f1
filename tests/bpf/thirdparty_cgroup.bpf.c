// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * A stand-in for other people's cgroup_attach programs: a set of cgroups that may not be joined,
 * each with the errno that says so (EPERM or EBUSY), and the last event. Reads every argument of the hook.
 */
#include <linux/bpf.h>
#include <linux/errno.h>
#include <linux/types.h>
#include <stdbool.h>

#include <bpf/bpf_core_read.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>

#pragma clang attribute push(__attribute__((preserve_access_index)), apply_to = record)
struct kernfs_node {
  __u64 id;
};
struct cgroup {
  struct kernfs_node* kn;
};
struct super_block {
  unsigned long s_magic;
};
struct ns_common {
  unsigned int inum;
};
struct cgroup_namespace {
  struct ns_common ns;
};
struct cred {
  int usage;
};
struct task_struct {
  int pid;
  int tgid;
  char comm[16];
  struct task_struct* real_parent;
};
#pragma clang attribute pop

char LICENSE[] SEC("license") = "GPL";

struct {
  __uint(type, BPF_MAP_TYPE_HASH);
  __uint(max_entries, 16);
  __type(key, __u64);
  __type(value, __u8);
} denied_cgroups SEC(".maps");

struct last_event {
  __u64 source;
  __u64 destination;
  __u64 count;
  __u64 magic;
  __u32 pid;
  __u32 tgid;
  __u32 parent;
  __u32 mover;
  __u32 threadgroup;
  __u32 cgroup_ns;
  char comm[16];
};

struct {
  __uint(type, BPF_MAP_TYPE_ARRAY);
  __uint(max_entries, 1);
  __type(key, __u32);
  __type(value, struct last_event);
} last SEC(".maps");

SEC("lsm.s/cgroup_attach")
int BPF_PROG(deny_attach, struct task_struct* task, struct cgroup* src_cgrp,
             struct cgroup* dst_cgrp, struct super_block* sb, bool threadgroup,
             struct cgroup_namespace* cgroup_ns, int ret) {
  if (ret) return ret;
  __u32 zero = 0;
  struct last_event* event = bpf_map_lookup_elem(&last, &zero);
  if (!event) return 0;
  __u64 destination = dst_cgrp->kn->id;
  event->source = src_cgrp->kn->id;
  event->destination = destination;
  event->count++;
  event->magic = sb->s_magic;
  event->pid = task->pid;
  event->tgid = task->tgid;
  event->parent = BPF_CORE_READ(task, real_parent, tgid);
  event->mover = bpf_get_current_pid_tgid() >> 32;
  event->threadgroup = threadgroup;
  event->cgroup_ns = cgroup_ns->ns.inum;
  BPF_CORE_READ_STR_INTO(&event->comm, task, comm);
  __u8* error = bpf_map_lookup_elem(&denied_cgroups, &destination);
  if (!error) return 0;
  return *error == EBUSY ? -EBUSY : -EPERM;
}
