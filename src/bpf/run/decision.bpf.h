/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * From facts to an answer to the kernel: decide, count, report.
 *
 * A decision that cannot be made (no tables, unreadable facts) is a refusal. One that cannot be
 * reported is still made: the event is counted as lost.
 */
#ifndef HOLDFAST_BPF_RUN_DECISION_BPF_H
#define HOLDFAST_BPF_RUN_DECISION_BPF_H

#include "bpf/lib/decide.bpf.h"
#include "bpf/run/held.bpf.h"

/*
 * One immutable policy; a new one becomes live when its map takes the slot. Sizes instead of types: on 6.1
 * a map made without type information does not fit a slot declared with it.
 */
struct hf_policy_map {
  __uint(type, BPF_MAP_TYPE_ARRAY);
  __uint(max_entries, 1);
  __uint(map_flags, BPF_F_RDONLY_PROG);
  __uint(key_size, sizeof(__u32));
  __uint(value_size, sizeof(struct hf_tables));
};

struct {
  __uint(type, BPF_MAP_TYPE_ARRAY_OF_MAPS);
  __uint(max_entries, HF_TABLES_SLOTS);
  __type(key, __u32);
  __array(values, struct hf_policy_map);
} tables SEC(".maps");

struct {
  __uint(type, BPF_MAP_TYPE_RINGBUF);
  __uint(max_entries, HF_EVENT_RING_BYTES);
} events SEC(".maps");

static __always_inline const struct hf_tables *hf_tables_at(__u32 slot) {
  __u32 zero = 0;
  void *policy = bpf_map_lookup_elem(&tables, &slot);
  if (!policy) return 0;
  return bpf_map_lookup_elem(policy, &zero);
}

/* Whether this decision point is the first of its operation: the others repeat it and say nothing. */
#define HF_SAY 0u
#define HF_SILENT 1u

/* Who acts, on what, and who hears of it: what a decision needs beyond the request. */
struct hf_context {
  __u64 task;   /* address of the acting task */
  __u64 object; /* address of the traced task; 0: none */
  __u64 target; /* namespace inode number */
  __u32 member; /* 1: the acting task is a member */
  __u32 slot;   /* HF_TABLES_*: the policy that decides */
  __u32 voice;  /* HF_SAY, HF_SILENT */
  __u32 pad0;
};

static __always_inline void hf_describe(struct hf_task *out, const struct task_struct *task) {
  const struct cred *cred = 0;
  bpf_core_read(&out->pid, sizeof(out->pid), &task->pid);
  bpf_core_read(&out->tgid, sizeof(out->tgid), &task->tgid);
  bpf_core_read(&cred, sizeof(cred), &task->real_cred);
  bpf_core_read(&out->uid, sizeof(out->uid), &cred->euid.val);
  bpf_core_read(&out->comm, sizeof(out->comm), &task->comm);
}

static __always_inline void hf_report(struct hf_session *s, const struct hf_request *r, const struct hf_verdict *v,
                                      const struct hf_context *context) {
  const struct hf_tables *t;
  struct hf_event *event = bpf_ringbuf_reserve(&events, sizeof(*event), 0);
  if (!event) {
    __sync_fetch_and_add(&s->totals.lost, 1);
    return;
  }
  __builtin_memset(event, 0, sizeof(*event));
  event->version = HF_ABI_VERSION;
  event->length = sizeof(*event);
  event->id = __sync_fetch_and_add(&s->totals.events, 1) + 1;
  event->time_ns = bpf_ktime_get_boot_ns();
  t = hf_tables_at(context->slot);
  if (t) event->generation = t->generation;
  event->target = context->target;
  hf_describe(&event->actor, (const void *)context->task);
  if (context->object) hf_describe(&event->object, (const void *)context->object);
  event->verdict = *v;
  event->request = *r;
  bpf_ringbuf_submit(event, 0);
}

/* A member that is still setting itself up, before adoption, is not ruled: it runs none of CMD's code. */
static __always_inline int hf_not_yet_ruled(const struct hf_session *s, const struct hf_member *member) {
  return member && member->tables == HF_TABLES_POLICY && !s->adopted;
}

/* Fills in who acts and where it is held now. */
static __always_inline void hf_know_actor(const struct hf_session *s, __u64 task, const struct hf_member *member,
                                          struct hf_request *r, struct hf_context *context) {
  context->task = task;
  context->slot = HF_TABLES_POLICY;
  if (member) {
    context->member = 1;
    context->slot = member->tables;
    r->subject = member->profile;
    r->subject_set = member->set;
  }
  if (s->any_tracked) {
    struct hf_held held = {};
    if (task == bpf_get_current_task())
      hf_derive_current(&held, r->subject);
    else
      hf_derive_held(&held, task, r->subject);
    r->held_set = held.set;
    r->held_types = held.types;
    r->held_owner = held.owner;
    r->flags |= held.flags;
  }
}

/* Neither ruled, nor in anything tracked, nor on its way there: not this session's business. */
static __always_inline int hf_unconcerned(const struct hf_request *r, const struct hf_context *context) {
  if (context->member || r->held_set || r->target_set || (r->flags & HF_REQ_FACTS_MISSING)) return 0;
  return r->op != HF_OP_NAMESPACE_INSTALL || (r->flags & HF_REQ_TARGET_KNOWN);
}

/*
 * Decides. A global function, and the verdict behind a pointer of its caller: the verifier then knows nothing
 * of what is written there, and need not follow each combination of opinions to its own end.
 */
__noinline int hf_judge(struct hf_request *r, struct hf_verdict *v, __u32 slot) {
  const struct hf_tables *t = hf_tables_at(slot);
  if (!r || !v) return -HF_EPERM;
  if (t) {
    hf_decide_some(t, r, HF_TASK_OPS, v);
  } else {
    r->flags |= HF_REQ_FACTS_MISSING;
    hf_refuse_plain(v, HF_REASON_FACTS_MISSING);
  }
  return 0;
}

/* Decides, counts and reports. The answer for the kernel: 0 or -EPERM. */
__noinline int hf_conclude(struct hf_request *r, struct hf_context *context) {
  struct hf_session *s = hf_session();
  struct hf_verdict v = {};
  if (!r || !context || !s) return -HF_EPERM;
  if (hf_unconcerned(r, context)) return 0;
  if (hf_judge(r, &v, context->slot)) return -HF_EPERM;
  if (context->voice == HF_SAY || (v.action == HF_DENY && v.mode == HF_MODE_ENFORCE)) {
    hf_count_decision(&s->totals.decisions, &v);
    if (v.log) hf_report(s, r, &v, context);
  }
  if (hf_enforced_error(&v)) return -HF_EPERM;
  return 0;
}

#endif /* HOLDFAST_BPF_RUN_DECISION_BPF_H */
