/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* The kernel fields that the machine's guard reads; the suffix is as in cgroup_types.bpf.h. */
#ifndef HOLDFAST_BPF_GUARD_GUARD_TYPES_BPF_H
#define HOLDFAST_BPF_GUARD_GUARD_TYPES_BPF_H

#include "core/guard.h"

#include <linux/types.h>

#pragma clang attribute push(__attribute__((preserve_access_index)), apply_to = record)
struct gendisk___mg;
struct block_device___mg {
  unsigned int bd_dev;
  struct gendisk___mg *bd_disk;
};
struct gendisk___mg {
  struct block_device___mg *part0; /* the whole disk */
};
struct file_system_type___mg {
  int fs_flags;
};
struct super_block___mg {
  unsigned int s_dev;
  unsigned long s_magic;
  struct file_system_type___mg *s_type;
  struct block_device___mg *s_bdev;
};
struct timespec64___mg {
  __s64 tv_sec;
  long tv_nsec;
};
struct inode___mg {
  unsigned short i_mode;
  unsigned long i_ino;
  unsigned int i_rdev;
  __u32 i_generation;
  struct {
    int counter; /* the number of writers; negative: writing is denied */
  } i_writecount;
  struct super_block___mg *i_sb;
  struct {
    unsigned int val;
  } i_uid;
  struct timespec64___mg i_ctime;   /* to 6.5 */
  struct timespec64___mg __i_ctime; /* to 6.10 */
  __s64 i_ctime_sec;                /* since */
  __u32 i_ctime_nsec;
};
struct qstr___mg {
  const unsigned char *name;
};
struct dentry___mg {
  struct dentry___mg *d_parent;
  struct inode___mg *d_inode;
  struct qstr___mg d_name;
};
struct vfsmount___mg {
  struct super_block___mg *mnt_sb;
};
struct mount___mg {
  struct mount___mg *mnt_parent;
  struct vfsmount___mg mnt;
  void *mnt_ns;
  int mnt_group_id; /* the peer group; 0: none */
};
struct path___mg {
  struct vfsmount___mg *mnt;
  struct dentry___mg *dentry;
};
struct file___mg {
  unsigned int f_mode;
  struct inode___mg *f_inode;
  struct path___mg f_path;
};
struct fdtable___mg {
  struct file___mg **fd;
};
struct files_struct___mg {
  struct fdtable___mg *fdt;
};
struct cred___mg {
  struct {
    unsigned int val;
  } euid;
};
struct mm_struct___mg {
  struct file___mg *exe_file;
};
struct task_struct___mg {
  int pid;
  int tgid;
  unsigned int ptrace;
  char comm[HF_COMM_LEN];
  struct task_struct___mg *group_leader;
  const struct cred___mg *real_cred;
  struct files_struct___mg *files;
  struct mm_struct___mg *mm;
};
struct linux_binprm___mg {
  struct file___mg *file;
};
struct bpf_map___mg {
  __u32 id;
};
struct bpf_prog_aux___mg {
  __u32 id;
};
struct bpf_prog___mg {
  struct bpf_prog_aux___mg *aux;
};
#pragma clang attribute pop

#endif /* HOLDFAST_BPF_GUARD_GUARD_TYPES_BPF_H */
