/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The kernel fields that the cgroup programs read. Flavours (___cg): libbpf finds the kernel's own
 * layout at load time and ignores the suffix, so these stand beside any other description of the
 * same structs.
 */
#ifndef HOLDFAST_BPF_MACHINE_CGROUP_TYPES_BPF_H
#define HOLDFAST_BPF_MACHINE_CGROUP_TYPES_BPF_H

#include <linux/types.h>

#pragma clang attribute push(__attribute__((preserve_access_index)), apply_to = record)

struct list_head___cg {
  struct list_head___cg *next;
};

struct kernfs_node___cg {
  const char *name;
  __u64 id;
  void *priv;
};

struct cgroup___cg {
  int level;
  int nr_threaded_children;
  struct kernfs_node___cg *kn;
  struct cgroup___cg *dom_cgrp;
  struct cgroup___cg *ancestors[0];
};

struct css_set___cg {
  struct cgroup___cg *dfl_cgrp;
};

struct cred___cg {
  struct {
    __u32 val;
  } euid;
};

struct signal_struct___cg {
  struct list_head___cg thread_head;
};

struct task_struct___cg {
  int pid;
  int tgid;
  char comm[HF_COMM_LEN];
  const struct cred___cg *real_cred;
  struct css_set___cg *cgroups;
  struct signal_struct___cg *signal;
  struct list_head___cg thread_node;
};

struct super_block___cg {
  unsigned long s_magic;
};

struct inode___cg {
  unsigned short i_mode;
  struct super_block___cg *i_sb;
  void *i_private;
};

struct dentry___cg {
  struct inode___cg *d_inode;
};

#pragma clang attribute pop

#endif /* HOLDFAST_BPF_MACHINE_CGROUP_TYPES_BPF_H */
