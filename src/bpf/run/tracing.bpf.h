/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Tracing in a run: by its rules (bpf/namespaces/trace.bpf.h), and never those that enforce. */
#ifndef HOLDFAST_BPF_RUN_TRACING_BPF_H
#define HOLDFAST_BPF_RUN_TRACING_BPF_H

#include "bpf/namespaces/trace.bpf.h"
#include "bpf/run/confined.bpf.h"

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
  return hf_answer(hf_ask_trace(current, hf_number(child)));
}

/* PTRACE_TRACEME: current asks to be traced by its parent. */
SEC("lsm/ptrace_traceme")
int BPF_PROG(hf_ptrace_traceme, struct task_struct *parent) {
  struct hf_session *s = hf_session();
  if (!s) return -HF_EPERM;
  /* holdfast would be woken for each stop of a tracee that it did not ask for. */
  if (hf_is_protected(s, parent) && hf_is_confined(s, bpf_get_current_task())) HF_GUARD_REFUSE(HF_GUARD_TRACE, 0);
  return hf_answer(hf_ask_trace(hf_number(parent), bpf_get_current_task()));
}

#endif /* HOLDFAST_BPF_RUN_TRACING_BPF_H */
