/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * What keeps the enforcement itself standing while a session is attached.
 *
 * The confined may be root. They may not kill, stop or starve holdfast or its guardian, nor reach their
 * BPF programs, maps and links by id. Nobody, confined or not, may turn ftrace off: on kernels before 7.3 that
 * silences every BPF LSM program and still lets them attach. Settings by which the kernel runs a program of
 * the writer's choice as an unconfined task are closed to the confined.
 */
#ifndef HOLDFAST_BPF_GUARD_BPF_H
#define HOLDFAST_BPF_GUARD_BPF_H

#include "bpf/confined.bpf.h"
#include "bpf/delegated.bpf.h"
#include "bpf/run_tasks.bpf.h"
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

/*
 * Programs of these types can signal the task that they come across, or any (bpf_send_signal(), bpf_send_signal_task(),
 * which pass no security module), write to its memory (bpf_probe_write_user()), or keep it from the processor
 * (struct_ops of a scheduler). The others see packets, sockets and cgroups.
 */
static __always_inline int hf_acts_on_tasks(__u32 type) {
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

SEC("lsm/bpf")
int BPF_PROG(hf_bpf, int cmd, void *attr) {
  struct hf_session *s = hf_session();
  if (hf_bpf_limits.decided && hf_member_of(bpf_get_current_task())) return 0; /* refused with a word, there */
  if (cmd == BPF_PROG_LOAD) {
    if (!hf_acts_on_tasks(hf_attr(attr, 0)) || !is_kept_off()) return 0;
    HF_GUARD_REFUSE(HF_GUARD_ANY_PROCESS, hf_attr(attr, 0)); /* prog_type comes first */
  }
  if (cmd != BPF_PROG_GET_FD_BY_ID && cmd != BPF_MAP_GET_FD_BY_ID && cmd != BPF_LINK_GET_FD_BY_ID) return 0;
  if (!s || !hf_is_confined(s, bpf_get_current_task())) return 0;
  HF_GUARD_REFUSE(HF_GUARD_BY_ID, hf_attr(attr, 0)); /* prog_id, map_id and link_id all come first */
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
  if (HF_NAMED("kernel/cad_pid") && is_kept_off()) { /* whom Ctrl-Alt-Del signals: kill_cad_pid() */
    hf_guard_refuse(HF_GUARD_SYSCTL, 0);
    return 0;
  }
  if (HF_NAMED("kernel/core_pattern") || HF_NAMED("kernel/modprobe") || HF_NAMED("kernel/hotplug") ||
      HF_NAMED("kernel/poweroff_cmd"))
    return s && !hf_is_confined(s, bpf_get_current_task());
  return 1;
}

#endif /* HOLDFAST_BPF_GUARD_BPF_H */
