/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Reads a cgroup's path from the root down and finds the profiles it lies in (core/paths.h), in the memory of the
 * current task (walk_memory.bpf.h).
 */
#ifndef HOLDFAST_BPF_MACHINE_CGROUP_PATH_BPF_H
#define HOLDFAST_BPF_MACHINE_CGROUP_PATH_BPF_H

#include "bpf/lib/walk_memory.bpf.h"
#include "bpf/machine/cgroup_types.bpf.h"
#include "bpf/machine/mark_maps.bpf.h"
#include "core/machine_sockets.h"
#include "core/paths.h"

#define MAX_LOOPS (1 << 23) /* BPF_MAX_LOOPS */

/* What the next step of a level does. */
#define PATH_NODE 0u  /* turn to the next node */
#define PATH_GLOB 1u  /* turn to its next pattern */
#define PATH_MATCH 2u /* compare one character */
#define PATH_NAME 3u  /* look the exact name up */

struct {
  __uint(type, BPF_MAP_TYPE_HASH);
  __uint(max_entries, 2 * 2 * HF_MAX_BINDINGS); /* two generations while one replaces the other */
  __uint(map_flags, BPF_F_NO_PREALLOC);
  __type(key, struct hf_path_key);
  __type(value, struct hf_path_edge);
} cgroup_names SEC(".maps");

struct {
  __uint(type, BPF_MAP_TYPE_HASH);
  __uint(max_entries, 2 * HF_MAX_BINDINGS);
  __uint(map_flags, BPF_F_NO_PREALLOC);
  __type(key, struct hf_glob_key);
  __type(value, struct hf_glob);
} cgroup_globs SEC(".maps");

/*
 * Adds a profile as the deepest so far; one that is bound at several depths counts at the deepest. A global function:
 * the verifier checks it once, not for each edge.
 */
__noinline int path_add_profile(__u16 profile) {
  struct path_walk *w = hf_this_walk();
  __u32 kept;
  if (!w) return 0;
  w->kept = 0;
#pragma clang loop unroll(disable)
  for (__u32 i = 0; i < HF_MAX_NEST; i++) {
    __u16 known = w->chain[i];
    if (i >= w->found) break;
    if (known == profile) continue;
    kept = w->kept; /* out of memory: the verifier does not follow its values */
    w->chain[kept & (HF_MAX_NEST - 1)] = known;
    w->kept = kept + 1;
  }
  kept = w->kept;
  if (kept >= HF_MAX_NEST) {
    w->failed = 1;
    return 0;
  }
  w->chain[kept & (HF_MAX_NEST - 1)] = profile;
  w->found = kept + 1;
  w->bound = w->level;
  return 0;
}

static __always_inline void path_take(struct path_walk *w, const struct hf_path_edge *edge) {
  __u32 n = w->next_count;
  if (n >= HF_PATH_STATES) {
    w->failed = 1;
    return;
  }
  w->next[n & (HF_PATH_STATES - 1)] = *edge;
  w->next_count = n + 1;
  if (edge->profile) path_add_profile(edge->profile);
}

/* ---- one level
 * ------------------------------------------------------------------------------------------ */

/*
 * From every node that the walk is at, tries each of the node's patterns and then the exact name,
 * so that what comes later in the chain is the more specific. One loop of small steps rather than
 * three nested ones: calls nest eight deep at most in BPF, and the verifier follows each step once.
 */
static __always_inline void path_begin_glob(struct path_walk *w, __u32 globs) {
  struct hf_glob *glob;
  if (w->glob_key.index >= globs) {
    w->stage = PATH_NAME;
    return;
  }
  glob = bpf_map_lookup_elem(&cgroup_globs, &w->glob_key);
  if (!glob) {
    w->failed = 1; /* the trie says that it is there */
    return;
  }
  __builtin_memcpy(&w->glob, glob, sizeof(w->glob));
  w->glob_key.index++;
  w->name_at = 0;
  w->text_at = 0;
  w->star_text = 0;
  w->star_name = 0;
  w->stage = PATH_MATCH;
}

/* One character; on a mismatch the last '*' takes one more. */
static __always_inline void path_match(struct path_walk *w) {
  char c = w->key.name[w->name_at & (HF_PATH_NAME - 1)];
  char g = w->glob.text[w->text_at & (HF_PATH_NAME - 1)];
  if (g == '*') {
    w->text_at++;
    w->star_text = w->text_at;
    w->star_name = w->name_at;
  } else if (c == g) {
    w->name_at++;
    w->text_at++;
    if (c) return;
    path_take(w, &w->glob.edge);
    w->stage = PATH_GLOB;
  } else if (c == 0 || !w->star_text) {
    w->stage = PATH_GLOB;
  } else {
    w->star_name++;
    w->name_at = w->star_name;
    w->text_at = w->star_text;
  }
}

static __always_inline void path_take_name(struct path_walk *w) {
  struct hf_path_edge *edge = bpf_map_lookup_elem(&cgroup_names, &w->key);
  if (edge) path_take(w, edge);
  w->node++;
  w->stage = PATH_NODE;
}

static long path_step(__u32 step, void *context) {
  struct path_walk *w = *(struct path_walk **)context;
  __u32 at = w->node & (HF_PATH_STATES - 1);
  if (w->failed) return 1;
  switch (w->stage) {
    case PATH_NODE:
      if (w->node >= w->count) return 1;
      w->key.node = w->at[at].node;
      w->glob_key.node = w->at[at].node;
      w->glob_key.index = 0;
      w->stage = PATH_GLOB;
      return 0;
    case PATH_GLOB:
      path_begin_glob(w, w->at[at].globs);
      return 0;
    case PATH_MATCH:
      path_match(w);
      return 0;
    default:
      path_take_name(w);
      return 0;
  }
}

/* ---- the walk
 * --------------------------------------------------------------------------------------------- */

static int cgroup_level(__u64 cgroup) { return BPF_CORE_READ((struct cgroup___cg *)cgroup, level); }

/* The ancestor at a level, itself at its own level; 0 below or on a fault. */
static __u64 path_ancestor(__u64 cgroup, __u32 level) {
  struct cgroup___cg *self = (struct cgroup___cg *)cgroup;
  __u64 at = (__u64)__builtin_preserve_access_index(&self->ancestors) + level * sizeof(void *);
  __u64 ancestor = 0;
  if ((int)level > cgroup_level(cgroup)) return 0;
  if (bpf_probe_read_kernel(&ancestor, sizeof(ancestor), (void *)at)) return 0;
  return ancestor;
}

static long path_read_level(__u32 level, void *context) {
  struct path_walk *w = *(struct path_walk **)context;
  struct path_walk *inner = w;
  struct cgroup___cg *ancestor = (struct cgroup___cg *)path_ancestor(w->cgroup, level);
  struct kernfs_node___cg *kn = 0;
  const char *name = 0;

  __builtin_memset(w->key.name, 0, HF_PATH_NAME);
  if (!ancestor || bpf_core_read(&kn, sizeof(kn), &ancestor->kn) || bpf_core_read(&name, sizeof(name), &kn->name) ||
      bpf_probe_read_kernel_str(w->key.name, HF_PATH_NAME, name) < 0) {
    w->failed = 1;
    return 1;
  }
  w->level = level;
  w->next_count = 0;
  w->node = 0;
  w->stage = PATH_NODE;
  /* Each '*' is tried at each position at most, so a match ends within the product of both lengths;
     a level that takes longer than BPF allows is refused. */
  if (bpf_loop(MAX_LOOPS, path_step, &inner, 0) == MAX_LOOPS) w->failed = 1;
  __builtin_memcpy(w->at, w->next, sizeof(w->at));
  w->count = w->next_count;
  if (mark_rules) {
    __u16 marked = profile_of_cgroup_mark(w->generation, cgroup_id((__u64)ancestor));
    if (marked) path_add_profile(marked);
  }
  return (w->count == 0 && !mark_rules) || w->failed;
}

/*
 * Fills in the profiles that `cgroup` lies in, deepest first, 0 at the end, and the cgroup that the deepest is bound to.
 * The caller keeps the cgroup alive. Returns 0, or -1 when they cannot be told. Part of find_known(): calls nest eight deep
 * at most.
 */
static __always_inline int path_profiles(struct hf_known_profile *known, __u64 generation, __u64 cgroup) {
  struct path_walk *w, *inner;
  int level, failed;
  if (!known || !cgroup || hf_begin_walk()) return -1;
  w = hf_this_walk();
  if (!w) return -1;
  inner = w;
  level = cgroup_level(cgroup);
  w->generation = generation;
  w->cgroup = cgroup;
  w->count = 1;
  w->at[0].node = HF_PATH_START;
  w->key.generation = generation;
  w->glob_key.generation = generation;
  bpf_loop(level < (int)HF_PATH_DEPTH ? level + 1 : (int)HF_PATH_DEPTH, path_read_level, &inner, 0);
  failed = w->failed || (level >= (int)HF_PATH_DEPTH && (w->count || mark_rules));
#pragma clang loop unroll(disable)
  for (__u32 i = 0; i < HF_MAX_NEST && !failed; i++) {
    if (i >= w->found) break;
    known->chain[i] = w->chain[(w->found - 1 - i) & (HF_MAX_NEST - 1)];
  }
  if (!failed && w->found) known->bound = cgroup_id(path_ancestor(cgroup, w->bound));
  hf_end_walk();
  return failed ? -1 : 0;
}

#endif /* HOLDFAST_BPF_MACHINE_CGROUP_PATH_BPF_H */
