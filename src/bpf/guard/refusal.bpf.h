/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Reports an attack on the enforcement itself, which every policy refuses. The programs of the machine and of
 * the machine's guard use it, with the same event and with the ring buffer of their object.
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
 * `id` is unique among these and the ids of decisions; 0: user space sets it. `audited` is 1 if the attack is not
 * refused. `session` is 0 where there are none. Returns 0, or another value if the ring buffer has no room.
 */
static __always_inline long tell_refusal(void *ring, __u64 id, __u32 what, __u32 detail, __u32 audited, __u64 session) {
  struct task_struct___rf *task = (void *)bpf_get_current_task();
  struct hf_guard_event event = {.id = id, .what = what, .detail = detail, .audited = audited, .session = session};
  event.time_ns = bpf_ktime_get_boot_ns();
  event.actor.pid = BPF_CORE_READ(task, pid);
  event.actor.tgid = BPF_CORE_READ(task, tgid);
  /* Not cred: the kernel may override it, for instance with the credentials of the opener of a file. */
  event.actor.uid = BPF_CORE_READ(task, real_cred, euid.val);
  bpf_core_read_str(event.actor.comm, sizeof(event.actor.comm), &task->comm);
  return bpf_ringbuf_output(ring, &event, sizeof(event), 0);
}

#endif /* HOLDFAST_BPF_GUARD_REFUSAL_BPF_H */
