/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Moves between cgroups, under the policies of sessions (machine.bpf.c says when they are decided). Each session decides
 * that the moved task or the mover is a member of. A member has the profile of the session, in whatever cgroup it is. The
 * other one, and both cgroups, have the profiles that the session's policy binds to their paths.
 */
#ifndef HOLDFAST_BPF_MACHINE_SESSION_MOVES_BPF_H
#define HOLDFAST_BPF_MACHINE_SESSION_MOVES_BPF_H

#include "bpf/machine/known_profile.bpf.h"
#include "bpf/machine/machine_report.bpf.h"

#define MOVE_SESSIONS (2 * HF_LAYERS_NESTED) /* of the moved task, and of the mover */

/* ---- the decision, under any layer ------------------------------------------------------------------------ */

/* hf_decide() for this one hook: the others' rules would only cost verification time. */
static __noinline int decide_move(const struct hf_tables *t, struct hf_event *e) {
  struct hf_request *r;
  struct hf_verdict *v;
  if (!t || !e) return 0;
  r = &e->request;
  v = &e->verdict;
  if (t->magic != HF_TABLES_MAGIC || t->version != HF_ABI_VERSION || r->subject >= t->profile_count ||
      r->object >= t->profile_count) {
    hf_refuse_plain(v, HF_REASON_BAD_REQUEST);
    return 0;
  }
  hf_decide_attach(t, r, v);
  hf_choose_log(t, r->subject, v);
  return 0;
}

static void refuse_without_facts(struct hf_event *e) {
  e->request.flags |= HF_REQ_FACTS_MISSING;
  hf_refuse_plain(&e->verdict, HF_REASON_FACTS_MISSING);
}

/* ---- sessions ---------------------------------------------------------------------------------------------- */

/* What they have decided about the move that is under way: only one is, since cgroup_mutex is held. */
static struct {
  __u32 count;
  __u32 slots[MOVE_SESSIONS];
  struct hf_event events[MOVE_SESSIONS];
} session_moves;

/* What the member is in the move. */
#define IS_MOVED 1u
#define IS_MOVER 2u

struct move_scan {
  const struct hf_event *facts; /* way, the cgroups and how they lie to each other */
  __u64 moved;
  __u64 src;
  __u64 dst;
  __u32 scattered; /* 1: threads of the moved process may be in several cgroups */
  __u32 pad0;
};

static __always_inline int is_in_session(const struct hf_layers *sessions, __u64 set) {
#pragma clang loop unroll(disable)
  for (__u32 i = 0; i < HF_LAYERS_NESTED; i++) {
    const struct hf_layer *layer = session_number(sessions, i);
    if (!layer) break;
    if (layer->set == set) return 1;
  }
  return 0;
}

/* Returns 0, or -1 when a fact is missing. */
static __noinline int gather_in_session(struct hf_event *e, __u32 profile, __u32 member, __u64 src, __u64 dst) {
  struct hf_known_profile known;
  if (!e || !e->object.pid) return -1;
  if (find_known(&known, e->generation, dst)) return -1;
  __builtin_memcpy(e->request.dst_chain, known.chain, sizeof(known.chain));
  if (find_known(&known, e->generation, src)) return -1;
  __builtin_memcpy(e->request.src_chain, known.chain, sizeof(known.chain));
  e->request.object = member & IS_MOVED ? profile : known.chain[0];
  if (member & IS_MOVER) {
    e->request.subject = profile;
    return 0;
  }
  if (find_known_now(&known, e->generation)) return -1;
  e->request.subject = known.chain[0];
  return 0;
}

static __noinline int decide_in_session(const struct hf_layer *layer, __u32 member, const struct move_scan *scan) {
  struct hf_session_state *state;
  const struct hf_tables *t;
  struct hf_event *e;
  __u32 at = session_moves.count, slot;
  if (!layer || !scan || !scan->facts) return 0;
  slot = layer->slot;
  state = session_at(slot);
  if (state && (!state->moves || (layer->setup && state->setup))) return 0;
  HF_OPAQUE(at);
  if (at >= MOVE_SESSIONS) return 0;
  e = &session_moves.events[at];
  session_moves.slots[at] = slot;
  session_moves.count = at + 1;
  __builtin_memcpy(e, scan->facts, sizeof(*e));
  __builtin_memset(&e->verdict, 0, sizeof(e->verdict));
  e->time_ns = bpf_ktime_get_boot_ns();
  describe_task(&e->actor, bpf_get_current_task());
  if (scan->moved) describe_task(&e->object, scan->moved);
  t = tables_of_session(slot);
  e->generation = t ? t->generation : 0;
  if (!t || scan->scattered || gather_in_session(e, layer->profile, member, scan->src, scan->dst))
    refuse_without_facts(e);
  else
    decide_move(t, e);
  return 0;
}

static long scan_session(__u32 index, struct move_scan *scan) {
  const struct hf_layers *of_moved = sessions_of(scan->moved), *of_mover = sessions_of(bpf_get_current_task());
  const struct hf_layer *layer;
  if (index < HF_LAYERS_NESTED) {
    layer = session_number(of_moved, index);
    if (layer) decide_in_session(layer, is_in_session(of_mover, layer->set) ? IS_MOVED | IS_MOVER : IS_MOVED, scan);
    return 0;
  }
  layer = session_number(of_mover, index - HF_LAYERS_NESTED);
  if (layer && !is_in_session(of_moved, layer->set)) decide_in_session(layer, IS_MOVER, scan);
  return 0;
}

/* Part of its caller: calls nest eight deep at most on Linux 6.1. */
static __always_inline int decide_in_sessions(const struct hf_event *facts, __u64 moved, __u64 src, __u64 dst,
                                              __u32 scattered) {
  struct move_scan scan = {.facts = facts, .moved = moved, .src = src, .dst = dst, .scattered = scattered};
  bpf_loop(MOVE_SESSIONS, scan_session, &scan, 0);
  return 0;
}

static long answer_session(__u32 index, int *refused) {
  struct hf_event *e;
  __u32 slot;
  HF_OPAQUE(index);
  if (index >= MOVE_SESSIONS || index >= session_moves.count) return 1;
  e = &session_moves.events[index];
  slot = session_moves.slots[index];
  count_of_layer(slot, e->generation, e->request.op, &e->verdict);
  if (hf_enforced_error(&e->verdict)) *refused = 1;
  if (!e->verdict.log) return 0;
  number_event(e, slot);
  if (bpf_ringbuf_output(&cgroup_events, e, sizeof(*e), 0)) lose_event(slot);
  return 0;
}

/* Counts and reports what they have decided. 1: refused. */
static __noinline int answer_for_sessions(void) {
  int refused = 0;
  if (session_moves.count) bpf_loop(MOVE_SESSIONS, answer_session, &refused, 0);
  return refused;
}

#endif /* HOLDFAST_BPF_MACHINE_SESSION_MOVES_BPF_H */
