/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* A decision of the machine-wide programs is counted, and reported without memory of the program's own. */
#ifndef HOLDFAST_BPF_MACHINE_MACHINE_REPORT_BPF_H
#define HOLDFAST_BPF_MACHINE_MACHINE_REPORT_BPF_H

#include "bpf/machine/cgroup_maps.bpf.h"

/* What an event says beside request and verdict. */
struct parties {
  __u64 generation;
  __u64 target;
  __u64 actor;  /* a task; 0: the current one */
  __u64 object; /* a task; 0: none */
};

static __always_inline int tell_about(const struct hf_request *r, const struct hf_verdict *v, __u64 generation,
                                      __u64 target, __u64 actor, __u64 object) {
  struct hf_event *e;
  tally(generation, r->op, v);
  if (!v->log) return 0;
  e = bpf_ringbuf_reserve(&cgroup_events, sizeof(*e), 0);
  if (!e) {
    count(&cgroup_totals.events);
    count(&cgroup_totals.lost);
    return 0;
  }
  begin_event(e, 0);
  e->id = __sync_fetch_and_add(&cgroup_totals.events, 1) + 1;
  e->generation = generation;
  e->target = target;
  if (actor) describe_task(&e->actor, actor);
  if (object) describe_task(&e->object, object);
  e->request = *r;
  e->verdict = *v;
  bpf_ringbuf_submit(e, 0);
  return 0;
}

static __noinline int tell(const struct hf_request *r, const struct hf_verdict *v, const struct parties *parties) {
  if (!r || !v || !parties) return 0;
  return tell_about(r, v, parties->generation, parties->target, parties->actor, parties->object);
}

#endif /* HOLDFAST_BPF_MACHINE_MACHINE_REPORT_BPF_H */
