/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The kernel fields that the cgroup programs read. Flavours (___cg): libbpf finds the kernel's own layout
 * at load time and ignores the suffix, so these stand beside any other description of the same structs.
 */
#ifndef HOLDFAST_BPF_CGROUP_TYPES_H
#define HOLDFAST_BPF_CGROUP_TYPES_H

#include <linux/types.h>

#pragma clang attribute push(__attribute__((preserve_access_index)), apply_to = record)

struct kernfs_node___cg {
  const char* name;
  __u64 id;
};

struct cgroup___cg {
  int level;
  int nr_threaded_children;
  struct kernfs_node___cg* kn;
  struct cgroup___cg* dom_cgrp;
  struct cgroup___cg* ancestors[0];
};

struct css_set___cg {
  struct cgroup___cg* dfl_cgrp;
};

struct cred___cg {
  struct {
    __u32 val;
  } euid;
};

struct task_struct___cg {
  int pid;
  int tgid;
  char comm[HF_COMM_LEN];
  const struct cred___cg* real_cred;
  struct css_set___cg* cgroups;
};

struct super_block___cg {
  unsigned long s_magic;
};

struct inode___cg {
  struct super_block___cg* i_sb;
  unsigned long i_ino;
};

struct dentry___cg {
  struct inode___cg* d_inode;
};

#pragma clang attribute pop

#endif /* HOLDFAST_BPF_CGROUP_TYPES_H */
