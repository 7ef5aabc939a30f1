/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Memory for reading the path of a cgroup or the text of a label. That needs more than the stack of a program.
 *
 * Every user can make these programs run, with any number of tasks, and a task can be preempted inside one. Hundreds of
 * tasks of the idle class can be preempted there at the same time. So a pool could be used up. Instead there is:
 *
 *   for a path   memory of the task, in a map with an entry for each task that the kernel can make (map_room.h). Task
 *                storage would not do: before 6.2 it fails while another task is preempted in a look-up on the same
 *                processor (bpf_task_storage_trylock())
 *   for a text   memory of the processor, with preemption off, so that its user cannot be preempted. Only labels that
 *                the kernel keeps (from 7.1 on) need it
 *
 * No interrupt handler reads a label, so the memory of a processor is never used twice at a time.
 */
#ifndef HOLDFAST_BPF_LIB_WALK_MEMORY_BPF_H
#define HOLDFAST_BPF_LIB_WALK_MEMORY_BPF_H

#include "bpf/lib/vmlinux.h"

#include <bpf/bpf_helpers.h>

#include "core/map_room.h"
#include "core/paths.h"
#include "core/siphash.h"

extern void bpf_preempt_disable(void) __ksym __weak;
extern void bpf_preempt_enable(void) __ksym __weak;

/* The state of a walk (bpf/machine/cgroup_path.bpf.h). */
struct path_walk {
  __u64 generation;
  __u64 cgroup; /* struct cgroup, read only through probe reads */
  __u32 failed; /* more levels, nodes or profiles than the limits, or a fault */
  __u32 count;
  __u32 next_count;
  __u32 found;   /* profiles in `chain` */
  __u32 kept;    /* of those, while one is added */
  __u32 name_at; /* the match of one pattern: positions in name and pattern, */
  __u32 text_at; /* and where to go on when the last '*' has to take more */
  __u32 star_text;
  __u32 star_name;
  __u32 stage; /* PATH_* */
  __u32 node;  /* index into `at` */
  __u32 level; /* that is being read */
  __u32 bound; /* level of the deepest binding or mark */
  __u32 pad0;
  __u16 chain[HF_MAX_NEST]; /* profiles, root first */
  struct hf_path_edge at[HF_PATH_STATES];
  struct hf_path_edge next[HF_PATH_STATES];
  struct hf_path_key key;
  struct hf_glob_key glob_key;
  struct hf_glob glob;
};

struct {
  __uint(type, BPF_MAP_TYPE_HASH);
  __uint(max_entries, HF_TASK_ROOM_LEAST);
  __uint(map_flags, BPF_F_NO_PREALLOC);
  __type(key, __u64);
  __type(value, struct path_walk);
} task_walks SEC(".maps");

struct {
  __uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
  __uint(max_entries, 1);
  __type(key, __u32);
  __type(value, struct hf_sip_text);
} cpu_texts SEC(".maps");

static const struct path_walk empty_walk;

/* The memory of the current task. Null: hf_begin_walk() has not been called. */
static __always_inline struct path_walk *hf_this_walk(void) {
  __u64 task = bpf_get_current_task();
  return bpf_map_lookup_elem(&task_walks, &task);
}

/* Not 0: there is no memory. */
static __always_inline long hf_begin_walk(void) {
  __u64 task = bpf_get_current_task();
  return bpf_map_update_elem(&task_walks, &task, &empty_walk, BPF_ANY);
}

static __always_inline void hf_end_walk(void) {
  __u64 task = bpf_get_current_task();
  bpf_map_delete_elem(&task_walks, &task);
}

/* Null: there is none. Until hf_give_text() the caller must not call a global function, nor a helper that sleeps. */
static __always_inline struct hf_sip_text *hf_take_text(void) {
  struct hf_sip_text *text;
  __u32 zero = 0;
  if (!bpf_preempt_disable) return 0;
  bpf_preempt_disable();
  text = bpf_map_lookup_elem(&cpu_texts, &zero);
  if (!text) bpf_preempt_enable();
  return text;
}

static __always_inline void hf_give_text(void) {
  if (bpf_preempt_enable) bpf_preempt_enable();
}

#endif /* HOLDFAST_BPF_LIB_WALK_MEMORY_BPF_H */
