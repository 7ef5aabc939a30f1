/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Whose a task is, by its cgroup or else by its mark.
 *
 * Which profile a cgroup lies in is remembered, and read from its path (cgroup_path.bpf.h) only the first time: who is in
 * nobody's cgroup pays a look into a hash, and needs no memory.
 *
 * The task can be moved meanwhile by somebody else. So its cgroup is read once, and the key and the path are both of what
 * was read; programs of this type run under rcu_read_lock(), so that it stays in memory. A policy that becomes live in
 * between has another generation, and so other keys; marks that change in between have another epoch, read before.
 */
#ifndef HOLDFAST_BPF_MACHINE_KNOWN_PROFILE_BPF_H
#define HOLDFAST_BPF_MACHINE_KNOWN_PROFILE_BPF_H

#include "bpf/lib/walk_memory.bpf.h"
#include "core/machine_sockets.h"

struct {
  __uint(type, BPF_MAP_TYPE_LRU_HASH);
  __uint(max_entries, HF_KNOWN_PROFILES_MAX);
  __type(key, struct hf_known_key);
  __type(value, struct hf_known_profile);
} known_profiles SEC(".maps");

/* Reads the path of a cgroup. Returns 0, or -1 when that cannot be done. */
static __always_inline int read_known(struct hf_known_profile *known, __u64 generation, __u64 cgroup) {
  __u16 chain[HF_MAX_NEST] = {};
  struct path_walk *walk;
  int failed;
  if (!known) return -1;
  walk = take_walk();
  if (!walk) return -1;
  failed = path_profiles(walk, generation, cgroup, chain);
  if (!failed && chain[0]) {
    known->profile = chain[0];
    known->bound = cgroup_id(path_ancestor(cgroup, walk->bound));
  }
  give_walk();
  return failed;
}

/* Fills in what the task's cgroup says. Returns 0, or -1 when it cannot be told. */
static __always_inline int find_known(struct hf_known_profile *found, __u64 generation, __u64 task) {
  __u64 cgroup = cgroup_of(task);
  struct hf_known_key key = {.generation = generation};
  __u32 epoch = *(volatile __u32 *)&mark_epoch;
  const struct hf_known_profile *known;
  if (!cgroup) return -1;
  key.cgroup = cgroup_id(cgroup);
  if (!key.cgroup) return -1;
  known = bpf_map_lookup_elem(&known_profiles, &key);
  if (known) {
    __builtin_memcpy(found, known, sizeof(*found));
    /* The entry may have become another cgroup's while it was copied: the kernel does not wait for its readers. */
    if (found->epoch == epoch && found->seal == hf_known_seal(&key, found)) return 0;
  }
  __builtin_memset(found, 0, sizeof(*found));
  found->epoch = epoch;
  if (read_known(found, generation, cgroup)) return -1;
  found->seal = hf_known_seal(&key, found);
  bpf_map_update_elem(&known_profiles, &key, found, BPF_ANY);
  return 0;
}

/* The deepest profile that a task's cgroup lies in, or else that of its mark; -1: it cannot be told. */
static __noinline int profile_now(__u64 generation, __u64 task) {
  struct hf_known_profile known;
  if (find_known(&known, generation, task)) return -1;
  return known.profile ? known.profile & 0xffff : profile_of_task_mark(generation, task);
}

/* As what a task changes what others are: its mark says so before its cgroup does. */
static __always_inline int mover_now(__u64 generation, __u64 task) {
  int marked = profile_of_task_mark(generation, task);
  return marked ? marked : profile_now(generation, task);
}

#endif /* HOLDFAST_BPF_MACHINE_KNOWN_PROFILE_BPF_H */
