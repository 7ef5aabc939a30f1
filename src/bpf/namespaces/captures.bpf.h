/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Captures: which namespace is this task about to enter?
 *
 * The enforcer (lsm/capable, decisions.bpf.h) does not see the target. These fentry programs do, and note it
 * in the hash of calls. They enforce nothing, because they can be skipped: the kernel does not run a fentry
 * program on a CPU where another task was preempted inside the same program. Hence four identical copies:
 * a target was never missed in millions of tries with four, up to 739 times with two. Should all four be skipped,
 * there is no capture, and a rule that needs the target refuses.
 *
 * A user namespace is always entered with the first check of its own; hence checks_done starts at zero with
 * each install.
 *
 * An install that fails before it asks (userns_install() of the own one, timens_install() of a task with threads, any
 * for want of the capability) leaves a capture that nothing has used. It is forgotten at the function's end, or the next
 * setns, should all its captures be skipped, would be decided by the target of the one before.
 */
#ifndef HOLDFAST_BPF_NAMESPACES_CAPTURES_BPF_H
#define HOLDFAST_BPF_NAMESPACES_CAPTURES_BPF_H

#include "bpf/lib/decision_points.h"
#include "bpf/namespaces/tracked.bpf.h"

static __always_inline int hf_capture(const struct ns_common *ns, __u32 type) {
  __u64 task = bpf_get_current_task();
  struct hf_call *call = hf_call_of(task);
  struct hf_call fresh = {};
  __u64 ns_id = bpf_core_field_exists(ns->ns_id) ? ns->ns_id : 0;
  if (call) {
    call->address = (unsigned long)ns;
    call->ns_id = ns_id;
    call->inum = ns->inum;
    call->type = type;
    call->checks_done = 0;
    return 0;
  }
  fresh.address = (unsigned long)ns;
  fresh.ns_id = ns_id;
  fresh.inum = ns->inum;
  fresh.type = type;
  bpf_map_update_elem(&calls, &task, &fresh, BPF_ANY);
  return 0;
}

#define HF_CAPTURE(function, type, copy) \
  SEC("fentry/" #function) \
  int BPF_PROG(hf_##function##copy, const struct nsset *nsset, struct ns_common *ns) { return hf_capture(ns, type); }

#define HF_FORGET(function) \
  SEC("fexit/" #function) \
  int BPF_PROG(hf_##function##_end1) { \
    struct hf_call *call = hf_call_of(bpf_get_current_task()); \
    if (call) call->address = 0; \
    return 0; \
  }

#define HF_CAPTURES(function, type) \
  HF_FORGET(function) \
  HF_CAPTURE(function, type, 1) \
  HF_CAPTURE(function, type, 2) \
  HF_CAPTURE(function, type, 3) \
  HF_CAPTURE(function, type, 4)

#define HF_CAPTURE_POINT(proc, TYPE, install, ...) HF_CAPTURES(install, HF_NS_##TYPE)
HF_NAMESPACE_POINTS(HF_CAPTURE_POINT)

#endif /* HOLDFAST_BPF_NAMESPACES_CAPTURES_BPF_H */
