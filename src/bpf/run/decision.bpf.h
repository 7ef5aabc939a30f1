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
#include "bpf/namespaces/subject.bpf.h"
#include "bpf/run/maps.bpf.h"

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

static __always_inline void hf_describe(struct hf_task *out, const struct task_struct *task) {
  const struct cred *cred = 0;
  bpf_core_read(&out->pid, sizeof(out->pid), &task->pid);
  bpf_core_read(&out->tgid, sizeof(out->tgid), &task->tgid);
  bpf_core_read(&cred, sizeof(cred), &task->real_cred);
  bpf_core_read(&out->uid, sizeof(out->uid), &cred->euid.val);
  bpf_core_read(&out->comm, sizeof(out->comm), &task->comm);
}

/* What an event of this run's says beside the request: used where a struct hf_operation would be too large. */
struct hf_context {
  __u64 task;   /* address of the acting task */
  __u64 object; /* address of the traced task; 0: none */
  __u64 target; /* namespace inode number, socket cookie, … */
  __u32 slot;   /* HF_TABLES_*: the policy that decides */
  __u32 voice;  /* HF_SAY, HF_SILENT */
};

static __always_inline void hf_report_about(struct hf_session *s, const struct hf_request *r,
                                            const struct hf_verdict *v, __u32 slot, __u64 target, __u64 task,
                                            __u64 object) {
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
  t = hf_tables_at(slot);
  if (t) event->generation = t->generation;
  event->target = target;
  hf_describe(&event->actor, (const void *)task);
  if (object) hf_describe(&event->object, (const void *)object);
  event->verdict = *v;
  event->request = *r;
  bpf_ringbuf_submit(event, 0);
}

static __always_inline void hf_report(struct hf_session *s, const struct hf_request *r, const struct hf_verdict *v,
                                      const struct hf_context *context) {
  hf_report_about(s, r, v, context->slot, context->target, context->task, context->object);
}

/* A member that is still setting itself up, before adoption, is not ruled: it runs none of CMD's code. */
static __always_inline int hf_not_yet_ruled(const struct hf_session *s, const struct hf_member *member) {
  return member && member->tables == HF_TABLES_POLICY && !s->adopted;
}

static __always_inline void hf_begin_layers(struct hf_held *held, __u64 task) {}

static const struct hf_tables *hf_know_subject(struct hf_subject *subject, struct hf_held *held, __u64 task) {
  const struct hf_member *member = hf_member_of(task);
  struct hf_session *s = hf_session();
  const struct hf_tables *t;
  if (!s) {
    subject->concerned = 1;
    return 0;
  }
  subject->concerned = (member || s->tracking.any) && !hf_not_yet_ruled(s, member);
  held->slot = member ? member->tables : HF_TABLES_POLICY;
  if (member) {
    subject->profile = member->profile;
    subject->set = member->set;
  }
  t = hf_tables_at(held->slot);
  if (t)
    held->generation = t->generation;
  else if (subject->concerned)
    hf_count_undecided(&s->totals.decisions);
  return t;
}

static int hf_object_profile(const struct hf_held *held, __u64 task) {
  const struct hf_member *other = hf_member_of(task);
  return other && other->tables == HF_TABLES_POLICY ? other->profile : HF_NO_PROFILE;
}

/* A session has one policy, so the numbers last. */
static __u16 hf_owner_number(struct hf_held *held, __u64 owner_id) { return owner_id; }
static __u64 hf_owner_id(const struct hf_held *held, __u16 profile) { return profile; }

static void hf_count_undecidable(void) {
  struct hf_session *s = hf_session();
  if (s) hf_count_undecided(&s->totals.decisions);
}

static int hf_rules_namespaces(void) { return 1; }

/*
 * Decides. A global function, and the verdict behind a pointer of its caller: the verifier then knows nothing
 * of what is written there, and need not follow each combination of opinions to its own end. A policy's map is
 * read-only, and Linux 6.1 lets no pointer into it be handed to such a function: hence the slot.
 */
__noinline int hf_judge(struct hf_request *r, struct hf_verdict *v, __u32 slot) {
  const struct hf_tables *t = hf_tables_at(slot);
  if (!t || !r || !v) return -HF_EPERM;
  hf_decide_some(t, r, HF_TASK_OPS, v);
  return 0;
}

static __always_inline int hf_conclude(const struct hf_tables *t, struct hf_request *r, const struct hf_operation *o) {
  struct hf_session *s = hf_session();
  struct hf_verdict v = {};
  if (!s || hf_judge(r, &v, o->held.slot)) return 1;
  if (o->voice == HF_SAY || (v.action == HF_DENY && v.mode == HF_MODE_ENFORCE)) {
    hf_count_decision(&s->totals.decisions, &v);
    if (v.log) hf_report_about(s, r, &v, o->held.slot, o->target, o->task, o->object);
  }
  return hf_enforced_error(&v) != 0;
}

#endif /* HOLDFAST_BPF_RUN_DECISION_BPF_H */
