/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Tracked namespaces, and what is known about the system call that a task is in.
 *
 * Both are hashes and no storage of tasks: with full preemption on 6.1 one look-up of task storage in twenty-odd
 * fails. They are preallocated: an insertion on a decision path does not depend on the allocator.
 */
#ifndef HOLDFAST_BPF_NAMESPACES_TRACKED_BPF_H
#define HOLDFAST_BPF_NAMESPACES_TRACKED_BPF_H

#include "bpf/lib/vmlinux.h"

#include <bpf/bpf_core_read.h>
#include <bpf/bpf_helpers.h>

#include "bpf/lib/prototype.bpf.h"
#include "core/map_room.h"
#include "core/tracked.h"

struct {
  __uint(type, BPF_MAP_TYPE_HASH);
  __uint(max_entries, HF_TRACKED_MAX);
  __type(key, __u32);
  __type(value, struct hf_tracked);
} tracked SEC(".maps");

/* Of tasks that rules hold for and, once a namespace is tracked, of all: room for every task (map_room.h). */
struct {
  __uint(type, BPF_MAP_TYPE_HASH);
  __uint(max_entries, HF_TASK_ROOM_LEAST);
  __type(key, __u64);
  __type(value, struct hf_call);
} calls SEC(".maps");

/* How many namespaces each sandbox has, by its set. */
struct {
  __uint(type, BPF_MAP_TYPE_HASH);
  __uint(max_entries, HF_TRACKED_SETS_MAX);
  __uint(map_flags, BPF_F_NO_PREALLOC);
  __type(key, __u64);
  __type(value, __u32);
} tracked_uses SEC(".maps");

/* Whether anything is tracked at all. Of the object that includes this, like the next. */
static struct hf_tracking *hf_tracking(void);

/* The number of namespaces that one sandbox of the layer may have: the table is for all. */
static __u32 hf_tracked_share(__u32 slot);

/* Tasks go by the address of their task_struct, a plain number: what bpf_get_current_task() returns. */
static __always_inline struct hf_call *hf_call_of(__u64 task) { return bpf_map_lookup_elem(&calls, &task); }

/*
 * The record of this very namespace, not of another that had its number before. A namespace gets its ns_id
 * after its number, and so after its record: who first meets it alive completes the record.
 */
static __always_inline const struct hf_tracked *hf_tracked_find(__u32 inum, __u64 address, __u64 ns_id) {
  struct hf_tracked *record = bpf_map_lookup_elem(&tracked, &inum);
  if (!record || record->address != address) return 0;
  if (record->ns_id == 0) record->ns_id = ns_id;
  if (record->ns_id != ns_id) return 0;
  return record;
}

static __always_inline int hf_any_tracked(void) {
  const struct hf_tracking *tracking = hf_tracking();
  return tracking && tracking->any;
}

static __always_inline int hf_may_be_tracked(const struct hf_tracking *tracking, __u32 inum) {
  return tracking->numbers[inum / 64 % HF_NUMBER_WORDS] >> (inum % 64) & 1;
}

static __noinline int hf_count_tracked(__u64 set, __u32 by) {
  __u32 *uses;
  __u32 none = 0;
  if (set == HF_NO_SET) return 0;
  uses = bpf_map_lookup_elem(&tracked_uses, &set);
  if (!uses && by == 1) {
    bpf_map_update_elem(&tracked_uses, &set, &none, BPF_NOEXIST);
    uses = bpf_map_lookup_elem(&tracked_uses, &set);
  }
  if (uses) __sync_fetch_and_add(uses, by);
  return 0;
}

static __always_inline void hf_count_owners(const struct hf_owner *of, __u32 by) {
#pragma clang loop unroll(full)
  for (__u32 i = 0; i < HF_TRACKED_OWNERS; i++) hf_count_tracked(of[i].set, by);
}

/* Has the sandbox room for another namespace? Makers that would have their namespace untracked are refused. */
static __always_inline int hf_has_room(__u64 set, __u32 share) {
  const __u32 *uses = bpf_map_lookup_elem(&tracked_uses, &set);
  return !uses || *(volatile const __u32 *)uses < share;
}

/* Drops the record of a namespace that goes, or of one that had its number before. Only one copy of a program does. */
static __noinline void hf_untrack(__u32 inum) {
  const struct hf_tracking *tracking = hf_tracking();
  struct hf_owner of[HF_TRACKED_OWNERS];
  const struct hf_tracked *record;
  if (!tracking || !hf_may_be_tracked(tracking, inum)) return;
  record = bpf_map_lookup_elem(&tracked, &inum);
  if (!record) return;
  __builtin_memcpy(of, record->of, sizeof(of));
  if (!bpf_map_delete_elem(&tracked, &inum)) hf_count_owners(of, -1u);
}

static __always_inline int hf_same_owners(const struct hf_owner *one, const struct hf_owner *other) {
  __u64 differ = 0;
#pragma clang loop unroll(full)
  for (__u32 i = 0; i < HF_TRACKED_OWNERS; i++) differ |= (one[i].set ^ other[i].set) | (one[i].owner ^ other[i].owner);
  return !differ;
}

/* Writes the record, once for all copies of a program. `of`: HF_TRACKED_OWNERS. Not 0: there is no room. */
static __noinline long hf_track(const struct ns_common *ns, __u32 type, const struct hf_owner *of) {
  struct hf_tracked record = {.type = type};
  struct hf_tracking *tracking = hf_tracking();
  const struct hf_tracked *there;
  __u32 inum = 0;
  if (!tracking || !of) return -1;
  __builtin_memcpy(record.of, of, sizeof(record.of));
  bpf_core_read(&inum, sizeof(inum), &ns->inum);
  if (bpf_core_field_exists(ns->ns_id)) bpf_core_read(&record.ns_id, sizeof(record.ns_id), &ns->ns_id);
  record.address = (unsigned long)ns;
  /* Before the record: from now on everybody is looked at, and everybody looks for this number. */
  tracking->any = 1;
  __sync_fetch_and_or(&tracking->numbers[inum / 64 % HF_NUMBER_WORDS], 1ull << (inum % 64));
  there = bpf_map_lookup_elem(&tracked, &inum);
  /* Of another copy of the program. A stale record of a namespace that had this number and address differs in ns_id. */
  if (there && there->address == record.address && there->ns_id == record.ns_id && there->type == type &&
      hf_same_owners(there->of, record.of))
    return 0;
  hf_untrack(inum);
  if (bpf_map_update_elem(&tracked, &inum, &record, BPF_NOEXIST)) return -1;
  hf_count_owners(record.of, 1);
  return 0;
}

#endif /* HOLDFAST_BPF_NAMESPACES_TRACKED_BPF_H */
