/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * What is marked, and which profile a mark confers under the live policy (core/marks.h).
 */
#ifndef HOLDFAST_BPF_MACHINE_MARK_MAPS_BPF_H
#define HOLDFAST_BPF_MACHINE_MARK_MAPS_BPF_H

#include "bpf/machine/cgroup_maps.bpf.h"
#include "core/map_room.h"
#include "core/marks.h"

struct {
  __uint(type, BPF_MAP_TYPE_HASH);
  __uint(max_entries, 2 * HF_MARKS_MAX); /* two generations while one replaces the other */
  __type(key, struct hf_mark_key);
  __type(value, struct hf_mark);
} mark_names SEC(".maps");

struct {
  __uint(type, BPF_MAP_TYPE_HASH);
  __uint(max_entries, 2 * HF_MARKS_MAX);
  __type(key, struct hf_mark_id_key);
  __type(value, struct hf_mark);
} mark_ids SEC(".maps");

struct {
  __uint(type, BPF_MAP_TYPE_HASH);
  __uint(max_entries, HF_MARKED_FILES_MAX);
  __uint(map_flags, BPF_F_NO_PREALLOC);
  __type(key, struct hf_file_key);
  __type(value, __u64); /* the mark's id */
} marked_files SEC(".maps");

/* By cgroup id; 0: not any more, so that user space does not add it again. */
struct {
  __uint(type, BPF_MAP_TYPE_HASH);
  __uint(max_entries, HF_MARKED_FILES_MAX);
  __uint(map_flags, BPF_F_NO_PREALLOC);
  __type(key, __u64);
  __type(value, __u64);
} marked_cgroups SEC(".maps");

/* By task: the mark of what it executes, its own or inherited; 0: none. Room for every task (map_room.h), made with the
 * map: an exec cannot be refused at the point where its mark is known to count. */
struct {
  __uint(type, BPF_MAP_TYPE_HASH);
  __uint(max_entries, HF_TASK_ROOM_LEAST);
  __type(key, __u64);
  __type(value, __u64);
} marked_tasks SEC(".maps");

/* The process that may record marks that were there before, by asking for them; 0: none. */
struct {
  __uint(type, BPF_MAP_TYPE_ARRAY);
  __uint(max_entries, 1);
  __type(key, __u32);
  __type(value, __u32);
} mark_learner SEC(".maps");

/* Written by user space before a policy with marks becomes live. 0: no task needs the rest. */
__u32 mark_rules;

/* Counts the changes of marks on cgroups: who remembers what a cgroup's path says remembers this as well. */
__u32 mark_epoch;

static __always_inline __u16 profile_of_mark(__u64 generation, __u64 id) {
  struct hf_mark_id_key key = {.generation = generation, .id = id};
  struct hf_mark *mark;
  if (!id) return HF_NO_PROFILE;
  mark = bpf_map_lookup_elem(&mark_ids, &key);
  return mark ? mark->profile : HF_NO_PROFILE;
}

/* The profile that a task has by the mark of what it executes. */
static __always_inline __u16 profile_of_task_mark(__u64 generation, __u64 task) {
  __u64 *id;
  if (!mark_rules) return HF_NO_PROFILE;
  id = bpf_map_lookup_elem(&marked_tasks, &task);
  return id ? profile_of_mark(generation, *id) : HF_NO_PROFILE;
}

static __always_inline __u16 profile_of_cgroup_mark(__u64 generation, __u64 id) {
  __u64 *mark = bpf_map_lookup_elem(&marked_cgroups, &id);
  return mark ? profile_of_mark(generation, *mark) : HF_NO_PROFILE;
}

#endif /* HOLDFAST_BPF_MACHINE_MARK_MAPS_BPF_H */
