/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Which system call is the current task in, and with which register arguments?
 *
 * Read from the registers saved at entry. They are exact inside the calls asked about here: a tracer can
 * rewrite them only while the task is stopped, and none of these calls stops before it is decided. Numbers
 * differ between the 64-bit table and the 32-bit one, which a 64-bit task reaches through int 0x80.
 */
#ifndef HOLDFAST_BPF_SYSCALL_BPF_H
#define HOLDFAST_BPF_SYSCALL_BPF_H

#include "bpf/vmlinux.h"

#include <bpf/bpf_helpers.h>

#define HF_CAP_SYS_ADMIN 21
#define HF_OPEN_TREE_NAMESPACE 2ull
#define HF_FSMOUNT_NAMESPACE 2ull

#define HF_TS_COMPAT 0x2              /* thread_info.status: a 32-bit entry */
#define HF_X32_SYSCALL_BIT 0x40000000 /* the x32 table has the same numbers with this bit */

enum hf_syscall {
  HF_SYSCALL_OTHER,
  HF_SYSCALL_SETNS,
  HF_SYSCALL_UNSHARE,
  HF_SYSCALL_CLONE,
  HF_SYSCALL_CLONE3,
  HF_SYSCALL_OPEN_TREE, /* also open_tree_attr */
  HF_SYSCALL_FSMOUNT,
};

struct hf_call_args {
  __u32 syscall; /* enum hf_syscall */
  __u64 arg[3];
};

static __always_inline __u32 hf_syscall_of(__u64 nr, int compat) {
  if (nr == 428 || nr == 467) return HF_SYSCALL_OPEN_TREE;
  if (nr == 432) return HF_SYSCALL_FSMOUNT;
  if (nr == 435) return HF_SYSCALL_CLONE3;
  if (compat) {
    if (nr == 346) return HF_SYSCALL_SETNS;
    if (nr == 310) return HF_SYSCALL_UNSHARE;
    if (nr == 120) return HF_SYSCALL_CLONE;
  } else {
    if (nr == 308) return HF_SYSCALL_SETNS;
    if (nr == 272) return HF_SYSCALL_UNSHARE;
    if (nr == 56) return HF_SYSCALL_CLONE;
  }
  return HF_SYSCALL_OTHER;
}

static __always_inline void hf_read_call(struct hf_call_args *out) {
  struct task_struct *task = bpf_get_current_task_btf();
  struct pt_regs *regs = (struct pt_regs *)bpf_task_pt_regs(task);
  int compat = (task->thread_info.status & HF_TS_COMPAT) != 0;
  __u64 nr = regs->orig_ax;
  if (!compat) nr &= ~(__u64)HF_X32_SYSCALL_BIT;
  out->syscall = hf_syscall_of(nr, compat);
  if (out->syscall == HF_SYSCALL_OTHER) return;
  out->arg[0] = compat ? (__u32)regs->bx : regs->di;
  out->arg[1] = compat ? (__u32)regs->cx : regs->si;
  out->arg[2] = regs->dx;
}

/*
 * Is the current task in one of the plain write calls, which on a socket become a message? A worker of a ring has
 * the registers of io_uring_enter().
 */
static __always_inline int hf_writes_message(void) {
  struct task_struct *task = bpf_get_current_task_btf();
  struct pt_regs *regs = (struct pt_regs *)bpf_task_pt_regs(task);
  __u64 nr = regs->orig_ax;
  if (task->thread_info.status & HF_TS_COMPAT) /* write, writev, pwrite64, io_submit, pwritev, pwritev2 */
    return nr == 4 || nr == 146 || nr == 181 || nr == 248 || nr == 334 || nr == 379;
  nr &= ~(__u64)HF_X32_SYSCALL_BIT; /* whose table has numbers of its own for some, from 512 on */
  return nr == 1 || nr == 18 || nr == 20 || nr == 209 || nr == 296 || nr == 328 || nr == 516 || nr == 535 ||
         nr == 544 || nr == 547;
}

/* Does this call make a mount namespace of its own? */
static __always_inline int hf_mounts_namespace(const struct hf_call_args *call) {
  if (call->syscall == HF_SYSCALL_OPEN_TREE) return (call->arg[2] & HF_OPEN_TREE_NAMESPACE) != 0;
  if (call->syscall == HF_SYSCALL_FSMOUNT) return (call->arg[1] & HF_FSMOUNT_NAMESPACE) != 0;
  return 0;
}

#endif /* HOLDFAST_BPF_SYSCALL_BPF_H */
