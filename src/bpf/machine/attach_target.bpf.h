/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Resolves a descriptor of the current task to the cgroup, the program or the link that a bpf() call is about.
 *
 * The kernel resolves these descriptors after its last LSM hook: there is no hook between cgroup_get_from_fd() and
 * the attachment. (Older kernels have file_alloc_security there, which BPF cannot use.) So the descriptor is resolved
 * here, before the kernel does. The result is exact only if no other task can change the descriptor table in between:
 * the current task is the only holder of the table, and only a holder makes another one. Threads, workers and SQPOLL
 * threads of io_uring are holders, too, and since Linux 5.11 nothing else takes a reference, not even /proc.
 */
#ifndef HOLDFAST_BPF_MACHINE_ATTACH_TARGET_BPF_H
#define HOLDFAST_BPF_MACHINE_ATTACH_TARGET_BPF_H

#include "bpf/lib/vmlinux.h"

#include <bpf/bpf_core_read.h>
#include <bpf/bpf_helpers.h>

#define HF_CGROUP2_MAGIC 0x63677270
#define HF_DIR_MASK 0170000
#define HF_DIR 0040000

/* The file of a descriptor of the current task. 0: there is none, or another task shares the table. */
static __always_inline const struct file *own_file(__u32 fd) {
  const struct task_struct *task = (const void *)bpf_get_current_task();
  const struct files_struct *files = 0;
  const struct fdtable *table = 0;
  const struct file *file = 0;
  struct file **slots = 0;
  __u32 size = 0;
  int holders = 0;
  bpf_core_read(&files, sizeof(files), &task->files);
  if (!files || bpf_core_read(&holders, sizeof(holders), &files->count.counter) || holders != 1) return 0;
  bpf_core_read(&table, sizeof(table), &files->fdt);
  if (!table) return 0;
  bpf_core_read(&size, sizeof(size), &table->max_fds);
  bpf_core_read(&slots, sizeof(slots), &table->fd);
  if (fd >= size || !slots) return 0;
  bpf_probe_read_kernel(&file, sizeof(file), slots + fd);
  return file;
}

static __always_inline const void *private_data(const struct file *file) {
  const void *data = 0;
  if (file) bpf_core_read(&data, sizeof(data), &file->private_data);
  return data;
}

/* The cgroup whose directory the file is, read as in cgroup_get_from_fd(). 0: it is not the directory of a cgroup. */
static __always_inline const struct cgroup *cgroup_of_file(const struct file *file) {
  const struct inode *inode = 0;
  const struct super_block *sb = 0;
  const struct kernfs_node *kn = 0;
  const struct cgroup *cgroup = 0;
  unsigned long magic = 0;
  unsigned short mode = 0;
  if (!file) return 0;
  bpf_core_read(&inode, sizeof(inode), &file->f_inode);
  if (!inode) return 0;
  bpf_core_read(&mode, sizeof(mode), &inode->i_mode);
  bpf_core_read(&sb, sizeof(sb), &inode->i_sb);
  if (sb) bpf_core_read(&magic, sizeof(magic), &sb->s_magic);
  if (magic != HF_CGROUP2_MAGIC || (mode & HF_DIR_MASK) != HF_DIR) return 0;
  bpf_core_read(&kn, sizeof(kn), &inode->i_private);
  if (kn) bpf_core_read(&cgroup, sizeof(cgroup), &kn->priv);
  return cgroup;
}

#endif /* HOLDFAST_BPF_MACHINE_ATTACH_TARGET_BPF_H */
