/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Tracing: a task that can make another one act, or take its descriptors, leaves its confinement by proxy.
 *
 * ptrace, process_vm_readv and writev, pidfd_getfd and /proc/PID/mem all ask ptrace_may_access() for
 * PTRACE_MODE_ATTACH. PTRACE_MODE_READ (/proc/PID/ns, environ, …) only looks, and is decided about nowhere
 * here: what is found behind /proc/PID/ns still has to be entered.
 */
#ifndef HOLDFAST_BPF_NAMESPACES_TRACE_BPF_H
#define HOLDFAST_BPF_NAMESPACES_TRACE_BPF_H

#include "bpf/lib/number.bpf.h"
#include "bpf/namespaces/decisions.bpf.h"

#define HF_PTRACE_MODE_ATTACH 0x02

static __always_inline int ask_trace(__u64 tracer, __u64 tracee) {
  struct hf_operation o = {.op = HF_OP_TRACE, .via = HF_VIA_PTRACE, .task = tracer, .object = tracee};
  return ask_layers(&o);
}

#endif /* HOLDFAST_BPF_NAMESPACES_TRACE_BPF_H */
