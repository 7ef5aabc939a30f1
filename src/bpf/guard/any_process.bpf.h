/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* What acts on any process of the machine, from which the confined are kept: BPF programs, perf events, files. */
#ifndef HOLDFAST_BPF_GUARD_ANY_PROCESS_BPF_H
#define HOLDFAST_BPF_GUARD_ANY_PROCESS_BPF_H

#include <bpf/bpf_core_read.h>
#include <bpf/bpf_helpers.h>
#include <linux/bpf.h>

#include "bpf/guard/protected_types.bpf.h"
#include "bpf/lib/names.bpf.h"

#define PROC_MAGIC 0x9fa0
#define SYSFS_MAGIC 0x62656572
#define TRACEFS_MAGIC 0x74726163
#define DEBUGFS_MAGIC 0x64626720
#define MAY_WRITE 2       /* linux/fs.h */
#define PERF_TRACEPOINT 2 /* enum perf_type_id */
#define PERF_DYNAMIC 6    /* from here on: kprobes, uprobes, PMUs of processors */

/*
 * Programs of these types can signal the task that they come across, or any (bpf_send_signal(), bpf_send_signal_task(),
 * which pass no security module), write to its memory (bpf_probe_write_user()), or keep it from the processor
 * (struct_ops of a scheduler). The others see packets, sockets and cgroups.
 */
static __always_inline int acts_on_tasks(__u32 type) {
  switch (type) {
    case BPF_PROG_TYPE_KPROBE:
    case BPF_PROG_TYPE_TRACEPOINT:
    case BPF_PROG_TYPE_PERF_EVENT:
    case BPF_PROG_TYPE_RAW_TRACEPOINT:
    case BPF_PROG_TYPE_RAW_TRACEPOINT_WRITABLE:
    case BPF_PROG_TYPE_TRACING:
    case BPF_PROG_TYPE_STRUCT_OPS:
    case BPF_PROG_TYPE_EXT:
    case BPF_PROG_TYPE_LSM:
    case BPF_PROG_TYPE_SYSCALL:
      return 1;
    default:
      return 0;
  }
}

static __always_inline int perf_acts_on_all(__u32 type) { return type == PERF_TRACEPOINT || type >= PERF_DYNAMIC; }

/* ---- files of processes ---------------------------------------------------------------------------------------- */

static __always_inline __u64 proc_inode(__u64 inode) {
  struct proc_inode___pt *none = 0;
  return inode - (__u64)__builtin_preserve_access_index(&none->vfs_inode);
}

/* sysrq-trigger can kill all, hard_offline_page the users of a page; a uprobe changes the code of any program. */
static __noinline int acts_on_all(__u64 inode, unsigned long magic) {
  struct hf_name name;
  if (magic == TRACEFS_MAGIC || magic == DEBUGFS_MAGIC) return 1;
  if (magic == PROC_MAGIC) {
    struct proc_inode___pt *proc = (void *)proc_inode(inode);
    struct proc_dir_entry___pt *entry = BPF_CORE_READ(proc, pde);
    if (!entry || hf_read_name(&name, BPF_CORE_READ(entry, name))) return 0;
    return HF_SAME(&name, "sysrq-trigger");
  }
  if (magic == SYSFS_MAGIC) {
    struct kernfs_node___pt *kn = BPF_CORE_READ((struct inode___pt *)inode, i_private);
    if (!kn || hf_read_name(&name, BPF_CORE_READ(kn, name))) return 0;
    return HF_SAME(&name, "hard_offline_page") || HF_SAME(&name, "soft_offline_page");
  }
  return 0;
}

#endif /* HOLDFAST_BPF_GUARD_ANY_PROCESS_BPF_H */
