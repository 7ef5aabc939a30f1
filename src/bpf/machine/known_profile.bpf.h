/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Whose a task is, by its cgroup or else by its mark.
 *
 * Which profile a cgroup lies in is remembered, and read from its path (cgroup_path.bpf.h) only the first time. A task
 * in no profile's cgroup pays a look at a number of its cgroup, and needs no memory.
 *
 * Another task can move this one meanwhile. So its cgroup is read once, and the key and the path are both of what
 * was read; programs of this type run under rcu_read_lock(), so that it stays in memory. A policy that becomes live in
 * between has another generation, and so other keys; marks that change in between have another epoch, read before.
 */
#ifndef HOLDFAST_BPF_MACHINE_KNOWN_PROFILE_BPF_H
#define HOLDFAST_BPF_MACHINE_KNOWN_PROFILE_BPF_H

#include "bpf/machine/cgroup_path.bpf.h"
#include "core/machine_sockets.h"

struct {
  __uint(type, BPF_MAP_TYPE_LRU_HASH);
  __uint(max_entries, HF_KNOWN_PROFILES_MAX);
  __type(key, struct hf_known_key);
  __type(value, struct hf_known_profile);
} known_profiles SEC(".maps");

/* Fills in what is remembered of a cgroup. Returns 0, or -1 when it has to be read. */
static __always_inline int recall_known(struct hf_known_profile *found, const struct hf_known_key *key, __u32 epoch) {
  const struct hf_known_profile *known = bpf_map_lookup_elem(&known_profiles, key);
  if (!known) return -1;
  __builtin_memcpy(found, known, sizeof(*found));
  /* The entry may have become another cgroup's while it was copied: the kernel does not wait for its readers. */
  return found->epoch == epoch && found->seal == hf_known_seal(key, found) ? 0 : -1;
}

/*
 * Fills in what a cgroup's path says. Returns 0, or -1 when it cannot be told. A global function: the verifier checks it
 * once, not for each caller.
 */
__noinline int find_known(struct hf_known_profile *found, __u64 generation, __u64 cgroup) {
  struct hf_known_key key = {.generation = generation};
  __u32 epoch = *(volatile __u32 *)&mark_epoch;
  struct hf_known_profile fresh = {}; /* Linux 6.1 takes no value for a map from a caller's stack */
  if (!found || !cgroup) return -1;
  key.cgroup = cgroup_id(cgroup);
  if (!key.cgroup) return -1;
  if (!recall_known(found, &key, epoch)) return 0;
  fresh.epoch = epoch;
  if (path_profiles(&fresh, generation, cgroup)) return -1;
  fresh.seal = hf_known_seal(&key, &fresh);
  bpf_map_update_elem(&known_profiles, &key, &fresh, BPF_ANY);
  __builtin_memcpy(found, &fresh, sizeof(*found));
  return 0;
}

/* The same for the current task's cgroup, whose pointers the verifier knows: loads instead of calls. */
static __always_inline int find_known_now(struct hf_known_profile *found, __u64 generation) {
  struct task_struct___cg *task = (void *)bpf_get_current_task_btf();
  struct hf_known_key key = {.generation = generation};
  __u32 epoch = *(volatile __u32 *)&mark_epoch;
  key.cgroup = task->cgroups->dfl_cgrp->kn->id;
  if (!recall_known(found, &key, epoch)) return 0;
  return find_known(found, generation, cgroup_of(bpf_get_current_task()));
}

struct hf_near_profile near_profiles[HF_NEAR_PROFILES];

/* The deepest profile that the current task's cgroup lies in, and the cgroup it is bound to; 0: none; -1: it cannot be told. */
static __always_inline int cgroup_profile_now(__u64 generation, __u64 *bound) {
  struct task_struct___cg *task = (void *)bpf_get_current_task_btf();
  struct hf_known_key key = {.generation = generation};
  __u32 epoch = *(volatile __u32 *)&mark_epoch;
  volatile struct hf_near_profile *near;
  struct hf_known_profile known;
  __u64 stamp, profile;
  key.cgroup = task->cgroups->dfl_cgrp->kn->id;
  near = &near_profiles[key.cgroup & (HF_NEAR_PROFILES - 1)];
  stamp = hf_near_stamp(generation, epoch);
  profile = near->profile;
  *bound = near->bound;
  if (stamp && near->stamp == stamp && near->check == hf_near_check(key.cgroup, stamp, profile, *bound)) return profile;
  if (recall_known(&known, &key, epoch)) {
    /* The task may have been moved meanwhile: of its other cgroup nothing is remembered here. */
    if (find_known(&known, generation, cgroup_of(bpf_get_current_task()))) return -1;
  } else if (stamp) {
    near->stamp = stamp;
    near->profile = known.chain[0];
    near->bound = known.bound;
    near->check = hf_near_check(key.cgroup, stamp, known.chain[0], known.bound);
  }
  *bound = known.bound;
  return known.chain[0];
}

/* The deepest profile that a task's cgroup lies in, or else that of its mark; -1: it cannot be told. */
static __always_inline int profile_of(__u64 generation, __u64 task, const struct hf_known_profile *known) {
  return known->chain[0] ? known->chain[0] : profile_of_task_mark(generation, task);
}

/* The same for the current task, and the cgroup that the profile is bound to. */
static __always_inline int profile_now(__u64 generation, __u64 *bound) {
  int profile = cgroup_profile_now(generation, bound);
  return profile ? profile : profile_of_task_mark(generation, bpf_get_current_task());
}

/* Of another task, which cannot run meanwhile, or whose profile may change just as well after the answer. */
static __noinline int profile_of_task(__u64 generation, __u64 task) {
  struct hf_known_profile known;
  if (find_known(&known, generation, cgroup_of(task))) return -1;
  return profile_of(generation, task, &known);
}

/* As what the current task changes what others are: its mark says so before its cgroup does. */
static __always_inline int mover_now(__u64 generation) {
  int marked = profile_of_task_mark(generation, bpf_get_current_task());
  __u64 bound;
  return marked ? marked : profile_now(generation, &bound);
}

#endif /* HOLDFAST_BPF_MACHINE_KNOWN_PROFILE_BPF_H */
