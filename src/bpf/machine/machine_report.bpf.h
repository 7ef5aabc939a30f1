/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* A decision of the machine-wide programs is counted, and reported without memory of the program's own. */
#ifndef HOLDFAST_BPF_MACHINE_MACHINE_REPORT_BPF_H
#define HOLDFAST_BPF_MACHINE_MACHINE_REPORT_BPF_H

#include "bpf/machine/layers.bpf.h"

#define HF_NS_OF_SECOND 1000000000ull

/* What an event says beside request and verdict. */
struct parties {
  __u64 generation;
  __u32 slot; /* of the layer */
  __u32 pad0;
  __u64 target;
  __u64 actor;  /* a task; 0: the current one */
  __u64 object; /* a task; 0: none */
};

/* Counts a decision, of the layer in this slot. Small functions, here and below: the stack of the callers is full. */
static __noinline int count_of_layer(__u32 slot, __u64 generation, __u32 op, const struct hf_verdict *v) {
  struct hf_session_state *session;
  if (!v) return 0;
  if (!slot) return tally(generation, op, v);
  session = session_at(slot);
  if (session) hf_count_decision(&session->decisions, v);
  return 0;
}

/* Counts a decision about a socket that was allowed. `counters`: counters_of(), of the layer of the machine. */
static __always_inline void count_allowed(__u32 slot, __u32 counters) {
  struct hf_session_state *session = slot ? session_at(slot) : 0;
  if (session) __sync_fetch_and_add(&session->decisions.allowed, 1);
  if (slot) return;
  __sync_fetch_and_add(&cgroup_totals.decisions.allowed, 1);
  count_at(counters, HF_OP_SOCKET, HF_ALLOWED);
}

static __noinline int count_lost(__u32 slot) {
  struct hf_session_state *session = slot ? session_at(slot) : 0;
  count(session ? &session->events : &cgroup_totals.events);
  count(session ? &session->lost : &cgroup_totals.lost);
  return 0;
}

/* An event that has its number found no room. */
static __noinline int lose_event(__u32 slot) {
  struct hf_session_state *session = slot ? session_at(slot) : 0;
  count(session ? &session->lost : &cgroup_totals.lost);
  return 0;
}

static __noinline int number_event(struct hf_event *e, __u32 slot) {
  struct hf_session_state *session = slot ? session_at(slot) : 0;
  if (!e) return 0;
  e->session = session ? session->id : 0;
  e->id = __sync_fetch_and_add(session ? &session->events : &cgroup_totals.events, 1) + 1;
  return 0;
}

/*
 * Sessions of ordinary users have half of the ring together, and each so many events in a second. So nobody's noise pushes
 * out what others have to say.
 */
static __noinline int may_tell(__u32 slot) {
  struct hf_session_state *session = slot ? session_at(slot) : 0;
  __u64 now;
  if (!session || !session->user) return 1;
  if (bpf_ringbuf_query(&cgroup_events, BPF_RB_AVAIL_DATA) > HF_CGROUP_RING_BYTES / 2) return 0;
  now = bpf_ktime_get_ns();
  if (now - session->events_since_ns >= HF_NS_OF_SECOND) {
    session->events_since_ns = now;
    session->events_now = 0;
  }
  return __sync_fetch_and_add(&session->events_now, 1) < HF_USER_EVENTS;
}

/* Counts a decision, and begins its event if the policy wants one; the caller submits it. Null: it does not. */
static __always_inline struct hf_event *begin_telling(const struct hf_verdict *v, __u32 op, __u64 generation,
                                                      __u32 slot, __u64 target) {
  struct hf_event *e;
  count_of_layer(slot, generation, op, v);
  if (!v->log) return 0;
  e = may_tell(slot) ? bpf_ringbuf_reserve(&cgroup_events, sizeof(*e), 0) : 0;
  if (!e) {
    count_lost(slot);
    return 0;
  }
  begin_event(e, 0);
  number_event(e, slot);
  e->generation = generation;
  e->target = target;
  e->verdict = *v;
  return e;
}

static __always_inline int tell_about(const struct hf_request *r, const struct hf_verdict *v, __u64 generation,
                                      __u32 slot, __u64 target, __u64 actor, __u64 object) {
  struct hf_event *e = begin_telling(v, r->op, generation, slot, target);
  if (!e) return 0;
  if (actor) describe_task(&e->actor, actor);
  if (object) describe_task(&e->object, object);
  e->request = *r;
  bpf_ringbuf_submit(e, 0);
  return 0;
}

static __noinline int tell(const struct hf_request *r, const struct hf_verdict *v, const struct parties *parties) {
  if (!r || !v || !parties) return 0;
  return tell_about(r, v, parties->generation, parties->slot, parties->target, parties->actor, parties->object);
}

#endif /* HOLDFAST_BPF_MACHINE_MACHINE_REPORT_BPF_H */
