/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Refuses to put bytes into the input of a terminal, as if they had been typed: tiocsti() of the kernel, and pasting by
 * tioclinux(), whose subcommand is in memory and so counts as that. The shell outside reads them when the command has
 * ended. dev.tty.legacy_tiocsti = 0 refuses the first only to who has no CAP_SYS_ADMIN. The command of an ioctl is an
 * unsigned int, and is the kernel's own argument here.
 *
 * The same tasks are confined as in usermode_helper.bpf.h.
 */
#ifndef HOLDFAST_BPF_GUARD_TERMINAL_BPF_H
#define HOLDFAST_BPF_GUARD_TERMINAL_BPF_H

#include "bpf/guard/usermode_helper.bpf.h"

#define HF_TIOCSTI 0x5412u
#define HF_TIOCLINUX 0x541cu

/* Returns 1 to refuse. A global function: the verifier checks it once. */
__noinline int refuses_typing(__u32 command) {
  int rule = helper_rule();
  if (rule == HF_HELPERS_FREE) return 0;
  refusal_tell(HF_GUARD_TERMINAL, command, rule == HF_HELPERS_AUDITED);
  return rule == HF_HELPERS_REFUSED;
}

static __always_inline int types_into_terminal(unsigned int command) {
  return (command == HF_TIOCSTI || command == HF_TIOCLINUX) && refuses_typing(command);
}

SEC("lsm/file_ioctl")
int BPF_PROG(terminal_ioctl, struct file *file, unsigned int command, unsigned long arg) {
  return hf_answer(types_into_terminal(command));
}

/* 32-bit calls have a hook of their own from 6.8 on, and on older kernels that got it. */
SEC("lsm/file_ioctl_compat")
int BPF_PROG(terminal_ioctl_compat, struct file *file, unsigned int command, unsigned long arg) {
  return hf_answer(types_into_terminal(command));
}

#endif /* HOLDFAST_BPF_GUARD_TERMINAL_BPF_H */
