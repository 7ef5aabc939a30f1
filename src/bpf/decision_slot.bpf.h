/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Memory for one decision.
 *
 * Reading a cgroup's path, or a label, takes more than a program's stack has, and unlike moves these decisions have no
 * lock that keeps them apart: a task can be preempted in the middle of one. So each borrows a slot of a pool. Should all
 * be in use, there is no decision: a refusal that is counted as an error.
 */
#ifndef HOLDFAST_BPF_DECISION_SLOT_BPF_H
#define HOLDFAST_BPF_DECISION_SLOT_BPF_H

#include "bpf/cgroup_maps.bpf.h"
#include "bpf/cgroup_path.bpf.h"
#include "bpf/mark_maps.bpf.h"
#include "core/siphash.h"

#define DECISION_SLOTS 64 /* decisions under way at one time */

struct decision_slot {
  __u32 taken;
  __u32 pad0;
  struct path_walk walk;
  struct hf_event event;
  struct hf_mark_key mark_key;
  struct hf_mark mark;
  struct hf_sip_text text;
};

struct {
  __uint(type, BPF_MAP_TYPE_ARRAY);
  __uint(max_entries, DECISION_SLOTS);
  __type(key, __u32);
  __type(value, struct decision_slot);
} decision_slots SEC(".maps");

static __always_inline struct decision_slot *take_slot(void) {
  __u32 first = bpf_get_smp_processor_id();
#pragma clang loop unroll(disable)
  for (__u32 i = 0; i < DECISION_SLOTS; i++) {
    __u32 key = (first + i) % DECISION_SLOTS;
    struct decision_slot *slot = bpf_map_lookup_elem(&decision_slots, &key);
    if (slot && !__sync_val_compare_and_swap(&slot->taken, 0, 1)) return slot;
  }
  hf_count_undecided(&cgroup_totals.decisions);
  return 0;
}

static __always_inline void give_back(struct decision_slot *slot) { __sync_val_compare_and_swap(&slot->taken, 1, 0); }

extern void bpf_preempt_disable(void) __ksym __weak;
extern void bpf_preempt_enable(void) __ksym __weak;

/*
 * For steps that anybody can have the kernel make as often as he likes, such as labelling a socket: as long as it is held,
 * the task stays on its processor (from Linux 6.10 on), so that no crowd of tasks can sit in all slots. Calls no global
 * function meanwhile.
 */
static __always_inline struct decision_slot *take_slot_at_once(void) {
  struct decision_slot *slot;
  if (bpf_preempt_disable) bpf_preempt_disable();
  slot = take_slot();
  if (slot) return slot;
  if (bpf_preempt_enable) bpf_preempt_enable();
  return 0;
}

static __always_inline void give_back_at_once(struct decision_slot *slot) {
  give_back(slot);
  if (bpf_preempt_enable) bpf_preempt_enable();
}

#endif /* HOLDFAST_BPF_DECISION_SLOT_BPF_H */
