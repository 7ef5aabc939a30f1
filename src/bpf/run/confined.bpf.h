/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Is a task of the kind that must not touch what holds it: a member, or in a tracked namespace? And refusing it. */
#ifndef HOLDFAST_BPF_RUN_CONFINED_BPF_H
#define HOLDFAST_BPF_RUN_CONFINED_BPF_H

#include "bpf/run/decision.bpf.h"
#include "bpf/guard/refusal.bpf.h"

static __always_inline int hf_is_confined(const struct hf_session *s, __u64 task) {
  const struct hf_member *member = hf_member_of(task);
  struct hf_held held = {};
  if (member) return member->tables == HF_TABLES_POLICY && s->adopted;
  if (!s->tracking.any) return 0;
  hf_derive_held(&held, task, HF_NO_PROFILE);
  return held.set != HF_NO_SET || (held.flags & HF_REQ_FACTS_MISSING);
}

/*
 * The same by the addresses of their task_structs, for questions that begin with something else than a task; 0: none,
 * or it is gone. Not static: the compiler would give them names that BTF does not take.
 */
__u64 hf_protected_task[2];

static __always_inline int hf_is_protected(const struct hf_session *s, const struct task_struct *task) {
  __u32 tgid = 0;
  bpf_core_read(&tgid, sizeof(tgid), &task->tgid);
  return tgid && (tgid == s->protected_tgid[0] || tgid == s->protected_tgid[1]);
}

/* Reports an attempt that the guard refuses, or would; `what` is HF_GUARD_*, `detail` as in struct hf_guard_event. */
static __noinline int hf_guard_tell(__u32 what, __u32 detail, __u32 audited) {
  struct hf_session *s = hf_session();
  __u64 id;
  if (!s) return 0;
  if (!audited) __sync_fetch_and_add(&s->totals.guarded, 1);
  id = __sync_fetch_and_add(&s->totals.events, 1) + 1;
  if (hf_tell_refusal(&events, id, what, detail, audited, 0)) __sync_fetch_and_add(&s->totals.lost, 1);
  return 0;
}

static __always_inline void hf_guard_refuse(__u32 what, __u32 detail) { hf_guard_tell(what, detail, 0); }

/* Leaves an LSM program. A branch of its own, as in hf_answer(). */
#define HF_GUARD_REFUSE(what, detail) \
  do { \
    hf_guard_refuse(what, detail); \
    asm volatile(""); \
    return -HF_EPERM; \
  } while (0)

#endif /* HOLDFAST_BPF_RUN_CONFINED_BPF_H */
