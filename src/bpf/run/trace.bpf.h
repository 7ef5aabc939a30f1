/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Tracing: a task that can make another one act, or take its descriptors, leaves its confinement by proxy.
 *
 * ptrace, process_vm_readv and writev, pidfd_getfd and /proc/PID/mem all ask ptrace_may_access() for
 * PTRACE_MODE_ATTACH. PTRACE_MODE_READ (/proc/PID/ns, environ, …) only looks, and is decided about nowhere
 * here: what is found behind /proc/PID/ns still has to be entered.
 */
#ifndef HOLDFAST_BPF_RUN_TRACE_BPF_H
#define HOLDFAST_BPF_RUN_TRACE_BPF_H

#include "bpf/run/confined.bpf.h"
#include "bpf/run/decision.bpf.h"

#define HF_PTRACE_MODE_ATTACH 0x02
#define HF_PTRACE_MODE_NOAUDIT 0x04 /* the kernel asks what to show, as for /proc/PID/stat */

static __always_inline int hf_trace(const struct hf_session *s, __u64 tracer, __u64 tracee) {
  struct hf_request r = {.op = HF_OP_TRACE, .via = HF_VIA_PTRACE};
  struct hf_context context = {.voice = HF_SAY, .object = tracee};
  const struct hf_member *member = hf_member_of(tracer);
  const struct hf_member *other = hf_member_of(tracee);
  if ((!member && !s->any_tracked) || hf_not_yet_ruled(s, member)) return 0;
  hf_know_actor(s, tracer, member, &r, &context);
  if (other && other->tables == HF_TABLES_POLICY) r.object = other->profile;
  if (s->any_tracked) {
    struct hf_held held = {};
    hf_derive_held(&held, tracee, r.object);
    if (held.set != HF_NO_SET && held.set == r.held_set && !(held.flags & ~HF_REQ_HELD_ANCHORED))
      r.flags |= HF_REQ_OBJECT_HELD_SAME;
  }
  return hf_conclude(&r, &context);
}

/* The task at the other end of a typed pointer, as the plain number that keys are. */
static __always_inline __u64 hf_address(const struct task_struct *task) {
  __u64 address = 0;
  bpf_probe_read_kernel(&address, sizeof(address), &task);
  return address;
}

SEC("lsm/ptrace_access_check")
int BPF_PROG(hf_ptrace_access_check, struct task_struct *child, unsigned int mode) {
  __u64 current = bpf_get_current_task();
  struct hf_session *s = hf_session();
  if (!s) return -HF_EPERM;
  if (hf_is_protected(s, child) && hf_is_confined(s, current)) {
    if (mode & HF_PTRACE_MODE_NOAUDIT) return -HF_EPERM;
    HF_GUARD_REFUSE(HF_GUARD_TRACE, mode);
  }
  if (!(mode & HF_PTRACE_MODE_ATTACH)) return 0;
  return hf_answer(hf_trace(s, current, hf_address(child)));
}

/* PTRACE_TRACEME: current asks to be traced by its parent. */
SEC("lsm/ptrace_traceme")
int BPF_PROG(hf_ptrace_traceme, struct task_struct *parent) {
  struct hf_session *s = hf_session();
  if (!s) return -HF_EPERM;
  /* holdfast would be woken for each stop of a tracee that it did not ask for. */
  if (hf_is_protected(s, parent) && hf_is_confined(s, bpf_get_current_task())) HF_GUARD_REFUSE(HF_GUARD_TRACE, 0);
  return hf_answer(hf_trace(s, hf_address(parent), bpf_get_current_task()));
}

#endif /* HOLDFAST_BPF_RUN_TRACE_BPF_H */
