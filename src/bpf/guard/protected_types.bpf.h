/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* The kernel fields that protected_tasks.bpf.h reads; the suffix is as in cgroup_types.bpf.h. */
#ifndef HOLDFAST_BPF_GUARD_PROTECTED_TYPES_BPF_H
#define HOLDFAST_BPF_GUARD_PROTECTED_TYPES_BPF_H

#include <linux/types.h>

#pragma clang attribute push(__attribute__((preserve_access_index)), apply_to = record)
struct kernfs_node___pt {
  struct kernfs_node___pt *parent;   /* to 6.14 */
  struct kernfs_node___pt *__parent; /* since */
  const char *name;
  __u64 id;
  void *priv;
};
struct cgroup_root___pt {
  int hierarchy_id;
};
struct cgroup___pt {
  int level;
  struct kernfs_node___pt *kn;
  struct cgroup_root___pt *root;
  struct cgroup___pt *ancestors[0];
};
struct cgroup_subsys_state___pt {
  struct cgroup___pt *cgroup;
};
struct css_set___pt {
  struct cgroup_subsys_state___pt *subsys[1]; /* as many as the kernel has controllers */
  struct cgroup___pt *dfl_cgrp;
};
struct super_block___pt {
  unsigned long s_magic;
};
struct inode___pt {
  struct super_block___pt *i_sb;
  void *i_private;
};
struct file___pt {
  struct inode___pt *f_inode;
};
struct hlist_node___pt {
  struct hlist_node___pt *next;
};
struct hlist_head___pt {
  struct hlist_node___pt *first;
};
struct pid___pt {
  struct hlist_head___pt tasks[1];
};
struct proc_dir_entry___pt {
  const char *name;
};
struct proc_inode___pt {
  struct pid___pt *pid;
  struct proc_dir_entry___pt *pde;
  struct inode___pt vfs_inode;
};
struct task_struct___pt {
  int tgid;
  struct hlist_node___pt pid_links[1];
  struct css_set___pt *cgroups;
};
struct perf_event_attr___pt {
  __u32 type;
};
struct hw_perf_event___pt {
  struct task_struct___pt *target;
};
struct perf_event___pt {
  struct perf_event_attr___pt attr;
  struct hw_perf_event___pt hw;
};
#pragma clang attribute pop

#endif /* HOLDFAST_BPF_GUARD_PROTECTED_TYPES_BPF_H */
