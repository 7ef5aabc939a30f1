/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Memory for reading the path of a cgroup or the text of a label. That needs more than the stack of a program.
 *
 * Every user can make these programs run, with any number of tasks, and a task can be preempted inside one. Hundreds of
 * tasks of the idle class can be preempted there at the same time. So a pool could be used up. Instead there is:
 *
 *   from Linux 6.10 on   memory of the processor, with preemption off, so that its user cannot be preempted
 *   before               memory of the task, in a map with an entry for each task that the kernel can make
 *                        (map_room.h). Task storage would not do: before 6.2 it fails while another task is preempted
 *                        in a look-up on the same processor (bpf_task_storage_trylock())
 *
 * No interrupt handler reads a path or a label, so the memory of a processor is never used twice at a time.
 */
#ifndef HOLDFAST_BPF_LIB_WALK_MEMORY_BPF_H
#define HOLDFAST_BPF_LIB_WALK_MEMORY_BPF_H

#include "bpf/machine/cgroup_maps.bpf.h"
#include "bpf/machine/cgroup_path.bpf.h"
#include "core/map_room.h"
#include "core/siphash.h"

extern void bpf_preempt_disable(void) __ksym __weak;
extern void bpf_preempt_enable(void) __ksym __weak;

struct {
  __uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
  __uint(max_entries, 1);
  __type(key, __u32);
  __type(value, struct path_walk);
} cpu_walks SEC(".maps");

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

/*
 * Takes the memory. Null: there is none. Until give_walk() the caller must not call a global function, nor a helper
 * that sleeps.
 */
static __always_inline struct path_walk *take_walk(void) {
  struct path_walk *walk = 0;
  __u32 zero = 0;
  __u64 task;
  if (bpf_preempt_disable) {
    bpf_preempt_disable();
    walk = bpf_map_lookup_elem(&cpu_walks, &zero);
    if (!walk) bpf_preempt_enable();
    return walk;
  }
  task = bpf_get_current_task();
  if (!bpf_map_update_elem(&task_walks, &task, &empty_walk, BPF_ANY)) walk = bpf_map_lookup_elem(&task_walks, &task);
  return walk;
}

static __always_inline void give_walk(void) {
  __u64 task;
  if (bpf_preempt_enable) {
    bpf_preempt_enable();
    return;
  }
  task = bpf_get_current_task();
  bpf_map_delete_elem(&task_walks, &task);
}

/* The same for a text. Only labels that the kernel keeps (from 7.1 on) need it, so preemption can be turned off. */
static __always_inline struct hf_sip_text *take_text(void) {
  struct hf_sip_text *text;
  __u32 zero = 0;
  if (!bpf_preempt_disable) return 0;
  bpf_preempt_disable();
  text = bpf_map_lookup_elem(&cpu_texts, &zero);
  if (!text) bpf_preempt_enable();
  return text;
}

static __always_inline void give_text(void) {
  if (bpf_preempt_enable) bpf_preempt_enable();
}

/* The profiles of a cgroup, as path_profiles(). */
static __noinline int chain_of_cgroup(__u64 generation, __u64 cgroup, __u16 *chain) {
  struct path_walk *walk;
  int failed;
  if (!chain) return -1;
  walk = take_walk();
  if (!walk) return -1;
  failed = path_profiles(walk, generation, cgroup, chain);
  give_walk();
  return failed;
}

#endif /* HOLDFAST_BPF_LIB_WALK_MEMORY_BPF_H */
