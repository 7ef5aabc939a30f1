/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* holdfast and its guardian are not for the confined to end, stop or starve. */
#ifndef HOLDFAST_BPF_RUN_RUN_TASKS_BPF_H
#define HOLDFAST_BPF_RUN_RUN_TASKS_BPF_H

#include "bpf/run/confined.bpf.h"

static __noinline int is_protected(__u64 task) {
  struct hf_session *s = hf_session();
  return s && hf_is_protected(s, (const void *)task);
}

static __noinline int is_kept_off(void) {
  struct hf_session *s = hf_session();
  return s && hf_is_confined(s, bpf_get_current_task());
}

static int protected_below(__u64 cgroup);

#define REFUSE_TOUCH(what, detail) HF_GUARD_REFUSE(what, detail)
#define KEPT_OFF_ARE_CONFINED 1
#include "bpf/guard/protected_tasks.bpf.h"

static int protected_below(__u64 cgroup) {
  __u64 first = hf_protected_task[0], second = hf_protected_task[1];
  return (first && pt_task_is_below(first, cgroup)) || (second && pt_task_is_below(second, cgroup));
}

#endif /* HOLDFAST_BPF_RUN_RUN_TASKS_BPF_H */
