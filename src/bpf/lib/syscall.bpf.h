/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Finds the system call that the current task is in, and its arguments in registers.
 *
 * They are read from the registers that were saved at entry, with the same widths as in the kernel. The number is the
 * lower 32 bits, signed (do_syscall_64(), do_syscall_32_irqs_on(), and syscall_get_nr() for a number that a tracer or a
 * filter wrote). An argument has 64 bits, or the lower 32 after a 32-bit entry (the __ia32_sys_*() wrappers). The
 * reader has to truncate it to the width that the system call declares. The registers cannot change in between: a
 * tracer can write them only while the task is stopped, and these calls do not stop between reading them and the LSM
 * hook.
 *
 * The 64-bit and the 32-bit table have different numbers, and a 64-bit task can use the 32-bit table by int 0x80. x32
 * uses the numbers of the 64-bit table with one more bit. A worker of io_uring is not in a system call: its registers
 * are those of the call in which it was created.
 */
#ifndef HOLDFAST_BPF_LIB_SYSCALL_BPF_H
#define HOLDFAST_BPF_LIB_SYSCALL_BPF_H

#include "bpf/lib/vmlinux.h"

#include <bpf/bpf_helpers.h>

#define HF_CAP_SYS_ADMIN 21
#define HF_OPEN_TREE_NAMESPACE 2ull
#define HF_FSMOUNT_NAMESPACE 2ull

#define HF_TS_COMPAT 0x2               /* thread_info.status: a 32-bit entry */
#define HF_X32_SYSCALL_BIT 0x40000000u /* the x32 table has the same numbers with this bit */
#define HF_NO_SYSCALL 0xffffffffu      /* do_syscall_64() takes this for none, too */

#define HF_PF_IO_WORKER 0x00000010u /* a worker of io_uring, which is never in user mode */
#define HF_PF_KTHREAD 0x00200000u

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

/* The entry into the kernel of a task. */
struct hf_entry {
  struct pt_regs *regs;
  int compat; /* 1: a 32-bit entry; a 64-bit task can use one, too */
  __u32 nr;   /* of the 32-bit table if compat, without the bit of x32; or HF_NO_SYSCALL */
};

static __always_inline void hf_read_entry(struct hf_entry *out) {
  struct task_struct *task = bpf_get_current_task_btf();
  out->regs = (struct pt_regs *)bpf_task_pt_regs(task);
  out->compat = (task->thread_info.status & HF_TS_COMPAT) != 0;
  out->nr = (__u32)out->regs->orig_ax;
  if (!out->compat) out->nr &= ~HF_X32_SYSCALL_BIT;
  if (task->flags & (HF_PF_IO_WORKER | HF_PF_KTHREAD)) out->nr = HF_NO_SYSCALL;
}

static __always_inline __u64 hf_entry_arg0(const struct hf_entry *e) {
  return e->compat ? (__u32)e->regs->bx : e->regs->di;
}
static __always_inline __u64 hf_entry_arg1(const struct hf_entry *e) {
  return e->compat ? (__u32)e->regs->cx : e->regs->si;
}
static __always_inline __u64 hf_entry_arg2(const struct hf_entry *e) {
  return e->compat ? (__u32)e->regs->dx : e->regs->dx;
}

static __always_inline __u32 hf_syscall_of(__u32 nr, int compat) {
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
  struct hf_entry entry;
  hf_read_entry(&entry);
  out->syscall = hf_syscall_of(entry.nr, entry.compat);
  if (out->syscall == HF_SYSCALL_OTHER) return;
  out->arg[0] = hf_entry_arg0(&entry);
  out->arg[1] = hf_entry_arg1(&entry);
  out->arg[2] = hf_entry_arg2(&entry);
}

/*
 * Is the current task in one of the write calls that send a message on a socket? A worker of io_uring is in none,
 * although its registers may be those of such a call.
 */
static __always_inline int hf_writes_message(void) {
  struct hf_entry entry;
  __u32 nr;
  hf_read_entry(&entry);
  nr = entry.nr;
  if (entry.compat) /* write, writev, pwrite64, io_submit, pwritev, pwritev2 */
    return nr == 4 || nr == 146 || nr == 181 || nr == 248 || nr == 334 || nr == 379;
  /* The x32 table has numbers of its own for some, from 512 on. */
  return nr == 1 || nr == 18 || nr == 20 || nr == 209 || nr == 296 || nr == 328 || nr == 516 || nr == 535 ||
         nr == 544 || nr == 547;
}

/* Does this system call make a mount namespace? */
static __always_inline int hf_mounts_namespace(const struct hf_call_args *call) {
  if (call->syscall == HF_SYSCALL_OPEN_TREE) return (call->arg[2] & HF_OPEN_TREE_NAMESPACE) != 0;
  if (call->syscall == HF_SYSCALL_FSMOUNT) return (call->arg[1] & HF_FSMOUNT_NAMESPACE) != 0;
  return 0;
}

#endif /* HOLDFAST_BPF_LIB_SYSCALL_BPF_H */
