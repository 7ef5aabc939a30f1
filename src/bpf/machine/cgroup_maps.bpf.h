/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * What the cgroup programs share: the policy that is live, totals, events, and who a task is.
 */
#ifndef HOLDFAST_BPF_MACHINE_CGROUP_MAPS_BPF_H
#define HOLDFAST_BPF_MACHINE_CGROUP_MAPS_BPF_H

#include "bpf/machine/cgroup_types.bpf.h"
#include "bpf/lib/decide.bpf.h"
#include "core/profile_counters.h"

#define HF_CGROUP_RING_BYTES (1u << 20)

/* Read by user space. */
struct {
  struct hf_counters decisions;
  __u64 lost;       /* events that did not fit the ring */
  __u64 unasked;    /* the kernel allowed a move and never asked: must stay 0 */
  __u64 unrecorded; /* a mark that could not be conferred, since it came while its file was being executed */
  __u64 events;
} cgroup_totals;

/* Sizes rather than types: 6.1 refuses to replace an inner map by one whose type information
 * differs. */
struct tables_map {
  __uint(type, BPF_MAP_TYPE_ARRAY);
  __uint(max_entries, 1);
  __uint(key_size, sizeof(__u32));
  __uint(value_size, sizeof(struct hf_tables));
};

struct {
  __uint(type, BPF_MAP_TYPE_ARRAY_OF_MAPS);
  __uint(max_entries, 1);
  __type(key, __u32);
  __array(values, struct tables_map);
} cgroup_tables SEC(".maps");

struct {
  __uint(type, BPF_MAP_TYPE_RINGBUF);
  __uint(max_entries, HF_CGROUP_RING_BYTES);
} cgroup_events SEC(".maps");

struct {
  __uint(type, BPF_MAP_TYPE_ARRAY);
  __uint(max_entries, HF_COUNTERS_SLOTS);
  __uint(map_flags, BPF_F_MMAPABLE); /* holdfastd counts here too */
  __type(key, __u32);
  __type(value, struct hf_profile_counters);
} profile_counters SEC(".maps");

struct {
  __uint(type, BPF_MAP_TYPE_HASH);
  __uint(max_entries, 2 * HF_PROFILE_SLOTS); /* two generations while one replaces the other */
  __type(key, struct hf_profile_counters_key);
  __type(value, __u32);
} profile_slots SEC(".maps");

static const struct hf_tables *live_tables(void) {
  __u32 zero = 0;
  void *inner = bpf_map_lookup_elem(&cgroup_tables, &zero);
  if (!inner) return 0;
  return bpf_map_lookup_elem(inner, &zero);
}

static void describe_task(struct hf_task *to, __u64 address) {
  struct task_struct___cg *task = (struct task_struct___cg *)address;
  to->pid = BPF_CORE_READ(task, pid);
  to->tgid = BPF_CORE_READ(task, tgid);
  /* real_cred: while the kernel checks, cred is that of the descriptor's opener. */
  to->uid = BPF_CORE_READ(task, real_cred, euid.val);
  bpf_core_read_str(to->comm, sizeof(to->comm), &task->comm);
}

static __u64 cgroup_of(__u64 address) {
  return (__u64)BPF_CORE_READ((struct task_struct___cg *)address, cgroups, dfl_cgrp);
}

static __u64 cgroup_id(__u64 address) { return BPF_CORE_READ((struct cgroup___cg *)address, kn, id); }

static void count(__u64 *total) { __sync_fetch_and_add(total, 1); }

/* The key of a profile's counters. */
static __always_inline __u32 counters_of(__u64 generation, __u16 profile) {
  struct hf_profile_counters_key key = {.generation = generation, .profile = profile};
  const __u32 *slot;
  if (profile == HF_NO_PROFILE) return HF_COUNTERS_NONE;
  slot = bpf_map_lookup_elem(&profile_slots, &key);
  return slot ? *slot : HF_COUNTERS_OTHER;
}

static __always_inline void count_at(__u32 slot, __u32 hook, __u32 kind) {
  struct hf_profile_counters *m = bpf_map_lookup_elem(&profile_counters, &slot);
  if (m && hook < HF_OP_COUNT && kind < HF_OUTCOMES) count(&m->counts[hook][kind]);
}

/* Counts a decision. */
static __always_inline int tally(__u64 generation, __u32 hook, const struct hf_verdict *v) {
  if (!v) return 0;
  hf_count_decision(&cgroup_totals.decisions, v);
  count_at(counters_of(generation, v->profile), hook, hf_outcome(v));
  return 0;
}

/* Counts a decision and reports it when its policy says so. */
static __noinline int report(struct hf_event *e) {
  if (!e) return 0;
  tally(e->generation, e->request.op, &e->verdict);
  if (!e->verdict.log) return 0;
  e->id = __sync_fetch_and_add(&cgroup_totals.events, 1) + 1;
  if (bpf_ringbuf_output(&cgroup_events, e, sizeof(*e), 0)) count(&cgroup_totals.lost);
  return 0;
}

/* An event without facts, and without the tasks that it is about. */
static __always_inline void begin_facts(struct hf_event *e, const struct hf_tables *tables) {
  __builtin_memset(e, 0, sizeof(*e));
  e->version = HF_ABI_VERSION;
  e->length = sizeof(*e);
  e->generation = tables ? tables->generation : 0;
  e->request.op = HF_OP_CGROUP_ATTACH;
}

/* An event without facts. */
static void begin_event(struct hf_event *e, const struct hf_tables *tables) {
  begin_facts(e, tables);
  e->time_ns = bpf_ktime_get_boot_ns();
  describe_task(&e->actor, bpf_get_current_task());
}

#endif /* HOLDFAST_BPF_MACHINE_CGROUP_MAPS_BPF_H */
