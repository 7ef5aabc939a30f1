/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Telling of an attempt on the enforcement itself, which is refused whatever the policy says. One design for the
 * programs of a run, of the machine, and of the machine's guard: the same event, over the ring that the object has.
 */
#ifndef HOLDFAST_BPF_GUARD_REFUSAL_BPF_H
#define HOLDFAST_BPF_GUARD_REFUSAL_BPF_H

#include "core/guard.h"

#include <bpf/bpf_core_read.h>
#include <bpf/bpf_helpers.h>
#include <linux/bpf.h>

/* The suffix is as in cgroup_types.bpf.h. */
#pragma clang attribute push(__attribute__((preserve_access_index)), apply_to = record)
struct cred___rf {
  struct {
    __u32 val;
  } euid;
};
struct task_struct___rf {
  int pid;
  int tgid;
  char comm[HF_COMM_LEN];
  const struct cred___rf *real_cred;
};
#pragma clang attribute pop

/*
 * `id`: unique beside the ids of decisions; 0: user space gives it. `audited`: 1 when it goes through. Returns 0, or
 * not 0 when it did not fit the ring.
 */
static __always_inline long hf_tell_refusal(void *ring, __u64 id, __u32 what, __u32 detail, __u32 audited) {
  struct task_struct___rf *task = (void *)bpf_get_current_task();
  struct hf_guard_event event = {.id = id, .what = what, .detail = detail, .audited = audited};
  event.time_ns = bpf_ktime_get_boot_ns();
  event.actor.pid = BPF_CORE_READ(task, pid);
  event.actor.tgid = BPF_CORE_READ(task, tgid);
  /* Not cred, which is another's while the kernel checks on behalf of whoever opened a file. */
  event.actor.uid = BPF_CORE_READ(task, real_cred, euid.val);
  bpf_core_read_str(event.actor.comm, sizeof(event.actor.comm), &task->comm);
  return bpf_ringbuf_output(ring, &event, sizeof(event), 0);
}

#endif /* HOLDFAST_BPF_GUARD_REFUSAL_BPF_H */
