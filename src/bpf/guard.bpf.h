/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * What keeps the enforcement itself standing while a session is attached.
 *
 * The confined may be root. They may not kill, stop or starve holdfast or its guardian, nor reach their
 * BPF programs, maps and links by id. Nobody, confined or not, may turn ftrace off: on kernels before 7.3 that
 * silences every BPF LSM program and still lets them attach. The confined type into no terminal. Settings by which the kernel runs a program of
 * the writer's choice as an unconfined task are closed to the confined.
 */
#ifndef HOLDFAST_BPF_GUARD_BPF_H
#define HOLDFAST_BPF_GUARD_BPF_H

#include "bpf/confined.bpf.h"
#include "bpf/delegated.bpf.h"
#include "core/decide.h"

#define HF_SYSCTL_NAME 32

SEC("lsm/task_kill")
int BPF_PROG(hf_task_kill, struct task_struct *p, struct kernel_siginfo *info, int sig) {
  struct hf_session *s = hf_session();
  if (!s || !sig || !hf_is_protected(s, p) || !hf_is_confined(s, bpf_get_current_task())) return 0;
  HF_GUARD_REFUSE(HF_GUARD_SIGNAL, sig);
}

/* A limit of processor time would kill just as well. */
SEC("lsm/task_setrlimit")
int BPF_PROG(hf_task_setrlimit, struct task_struct *p) {
  struct hf_session *s = hf_session();
  if (!s || !hf_is_protected(s, p) || !hf_is_confined(s, bpf_get_current_task())) return 0;
  HF_GUARD_REFUSE(HF_GUARD_LIMIT, 0);
}

SEC("lsm/bpf")
int BPF_PROG(hf_bpf, int cmd, void *attr) {
  struct hf_session *s = hf_session();
  if (hf_bpf_limits.decided && hf_member_of(bpf_get_current_task())) return 0; /* refused with a word, there */
  if (cmd != BPF_PROG_GET_FD_BY_ID && cmd != BPF_MAP_GET_FD_BY_ID && cmd != BPF_LINK_GET_FD_BY_ID) return 0;
  if (!s || !hf_is_confined(s, bpf_get_current_task())) return 0;
  HF_GUARD_REFUSE(HF_GUARD_BY_ID, hf_attr(attr, 0)); /* prog_id, map_id and link_id all come first */
}

/*
 * What puts bytes into the input of a terminal, as if they had been typed: tiocsti() of the kernel, and pasting by
 * tioclinux(), whose subcommand is in memory and so counts as that. The shell outside reads them when the command has
 * ended. dev.tty.legacy_tiocsti = 0 refuses the first only to who has no CAP_SYS_ADMIN. The command of an ioctl is an
 * unsigned int, and is the kernel's own argument here.
 */
#define HF_TIOCSTI 0x5412u
#define HF_TIOCLINUX 0x541cu

static __always_inline int hf_types_into_terminal(unsigned int command) {
  struct hf_session *s = hf_session();
  if (command != HF_TIOCSTI && command != HF_TIOCLINUX) return 0;
  return !s || hf_is_confined(s, bpf_get_current_task());
}

SEC("lsm/file_ioctl")
int BPF_PROG(hf_terminal, void *file, unsigned int command) {
  if (!hf_types_into_terminal(command)) return 0;
  HF_GUARD_REFUSE(HF_GUARD_TERMINAL, command);
}

/* 32-bit calls have a hook of their own from 6.8 on, and on older kernels that got it. */
SEC("lsm/file_ioctl_compat")
int BPF_PROG(hf_terminal_compat, void *file, unsigned int command) {
  if (!hf_types_into_terminal(command)) return 0;
  HF_GUARD_REFUSE(HF_GUARD_TERMINAL, command);
}

/* There is no memcmp to call. `literal` ends in a zero byte, which is compared too. */
static __always_inline int hf_same(const char *name, const char *literal, __u32 bytes) {
#pragma unroll
  for (__u32 i = 0; i < bytes; i++)
    if (name[i] != literal[i]) return 0;
  return 1;
}
#define HF_NAMED(literal) hf_same(name, literal, sizeof(literal))

/* On the root cgroup, so that every task on the machine is below it. Returns 1 to allow. */
SEC("cgroup/sysctl")
int hf_sysctl(struct bpf_sysctl *ctx) {
  char name[HF_SYSCTL_NAME] = {};
  struct hf_session *s = hf_session();
  if (!ctx->write) return 1;
  if (bpf_sysctl_get_name(ctx, name, sizeof(name), 0) < 0) return 1; /* longer than any named here */
  if (HF_NAMED("kernel/ftrace_enabled")) {
    hf_guard_refuse(HF_GUARD_SYSCTL, 0);
    return 0;
  }
  if (HF_NAMED("kernel/core_pattern") || HF_NAMED("kernel/modprobe") || HF_NAMED("kernel/hotplug") ||
      HF_NAMED("kernel/poweroff_cmd"))
    return s && !hf_is_confined(s, bpf_get_current_task());
  return 1;
}

#endif /* HOLDFAST_BPF_GUARD_BPF_H */
