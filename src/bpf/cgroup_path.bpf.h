/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Reads a cgroup's path from the root down and finds the profiles it lies in (core/paths.h).
 *
 * The scratch is a map value of the caller's, because a key alone is half of BPF's stack. Whoever calls
 * must be the only one that uses that scratch until the result is read; for moves cgroup_mutex sees to it.
 */
#ifndef HOLDFAST_BPF_CGROUP_PATH_H
#define HOLDFAST_BPF_CGROUP_PATH_H

#include "bpf/cgroup_types.bpf.h"
#include "core/paths.h"

struct path_walk {
  __u64 generation;
  __u64 cgroup; /* struct cgroup, read only through probe reads */
  __u32 failed; /* more levels, nodes or profiles than the limits, or a fault */
  __u32 count;
  __u32 next_count;
  __u32 found;
  __u32 name_at; /* the match of one pattern: positions in name and pattern, */
  __u32 text_at; /* and where to go on when the last '*' has to take more */
  __u32 star_text;
  __u32 star_name;
  __u32 matched;
  __u32 pad0;
  __u16 chain[HF_MAX_NEST]; /* profiles, root first */
  struct hf_path_edge at[HF_PATH_STATES];
  struct hf_path_edge next[HF_PATH_STATES];
  struct hf_path_key key;
  struct hf_glob_key glob_key;
  char text[HF_PATH_NAME];
};

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

static void path_take(struct path_walk* w, const struct hf_path_edge* edge) {
  __u32 n = w->next_count;
  __u32 found = w->found;
  if (n >= HF_PATH_STATES) {
    w->failed = 1;
    return;
  }
  w->next[n & (HF_PATH_STATES - 1)] = *edge;
  w->next_count = n + 1;
  if (!edge->profile) return;
  if (found >= HF_MAX_NEST) {
    w->failed = 1;
    return;
  }
  w->chain[found & (HF_MAX_NEST - 1)] = edge->profile;
  w->found = found + 1;
}

/* One step of matching a name against a pattern; on a mismatch the last '*' takes one character more. */
static long path_match_step(__u32 step, void* context) {
  struct path_walk* w = *(struct path_walk**)context;
  char c = w->key.name[w->name_at & (HF_PATH_NAME - 1)];
  char g = w->text[w->text_at & (HF_PATH_NAME - 1)];
  if (g == '*') {
    w->text_at++;
    w->star_text = w->text_at;
    w->star_name = w->name_at;
    return 0;
  }
  if (c == g) {
    w->matched = c == 0;
    w->name_at++;
    w->text_at++;
    return c == 0;
  }
  if (c == 0 || !w->star_text) return 1;
  w->star_name++;
  w->name_at = w->star_name;
  w->text_at = w->star_text;
  return 0;
}

static long path_try_glob(__u32 index, void* context) {
  struct path_walk* w = *(struct path_walk**)context;
  struct path_walk* inner = w;
  struct hf_glob* glob;
  w->glob_key.index = index;
  glob = bpf_map_lookup_elem(&cgroup_globs, &w->glob_key);
  if (!glob) {
    w->failed = 1; /* the trie says that it is there */
    return 1;
  }
  __builtin_memcpy(w->text, glob->text, HF_PATH_NAME);
  w->name_at = 0;
  w->text_at = 0;
  w->star_text = 0;
  w->star_name = 0;
  w->matched = 0;
  /* Each '*' is tried at each position at most: bounded by the product of both lengths. */
  bpf_loop(HF_PATH_NAME * HF_PATH_NAME, path_match_step, &inner, 0);
  if (w->matched) path_take(w, &glob->edge);
  return 0;
}

/* Patterns first and the exact name last: what comes later in the chain is the more specific. */
static long path_leave_node(__u32 index, void* context) {
  struct path_walk* w = *(struct path_walk**)context;
  struct path_walk* inner = w;
  struct hf_path_edge* edge;
  struct hf_path_edge at;
  if (index >= w->count) return 1;
  at = w->at[index & (HF_PATH_STATES - 1)];
  w->key.node = at.node;
  w->glob_key.node = at.node;
  if (at.globs) bpf_loop(at.globs, path_try_glob, &inner, 0);
  edge = bpf_map_lookup_elem(&cgroup_names, &w->key);
  if (edge) path_take(w, edge);
  return 0;
}

static long path_read_level(__u32 level, void* context) {
  struct path_walk* w = *(struct path_walk**)context;
  struct path_walk* inner = w;
  struct cgroup___cg* ancestor = 0;
  struct kernfs_node___cg* kn = 0;
  const char* name = 0;
  struct cgroup___cg* cgroup = (struct cgroup___cg*)w->cgroup;
  __u64 at = (__u64)__builtin_preserve_access_index(&cgroup->ancestors) + level * sizeof(void*);

  __builtin_memset(w->key.name, 0, HF_PATH_NAME);
  if (bpf_probe_read_kernel(&ancestor, sizeof(ancestor), (void*)at) ||
      bpf_core_read(&kn, sizeof(kn), &ancestor->kn) ||
      bpf_core_read(&name, sizeof(name), &kn->name) ||
      bpf_probe_read_kernel_str(w->key.name, HF_PATH_NAME, name) < 0) {
    w->failed = 1;
    return 1;
  }
  w->next_count = 0;
  bpf_loop(HF_PATH_STATES, path_leave_node, &inner, 0);
  __builtin_memcpy(w->at, w->next, sizeof(w->at));
  w->count = w->next_count;
  return w->count == 0 || w->failed;
}

/*
 * Fills `chain` with the profiles that `cgroup` lies in, deepest first, 0 at the end. The caller keeps the
 * cgroup alive. Returns 0, or -1 when they cannot be told; then the chain is empty.
 */
static __noinline int path_profiles(struct path_walk* w, __u64 generation, __u64 cgroup, __u16* chain) {
  struct path_walk* inner = w;
  int level = 0;
  if (!w || !chain) return -1;
  for (int i = 0; i < (int)HF_MAX_NEST; i++) chain[i] = HF_NO_PROFILE;
  if (bpf_core_read(&level, sizeof(level), &((struct cgroup___cg*)cgroup)->level)) return -1;
  if (level < 0 || level >= (int)HF_PATH_DEPTH) return -1;
  w->generation = generation;
  w->cgroup = cgroup;
  w->failed = 0;
  w->found = 0;
  w->count = 1;
  w->at[0].node = HF_PATH_START;
  w->at[0].profile = HF_NO_PROFILE;
  w->at[0].globs = 0;
  w->key.generation = generation;
  w->key.pad0 = 0;
  w->glob_key.generation = generation;
  bpf_loop(level + 1, path_read_level, &inner, 0);
  if (w->failed) return -1;
  for (__u32 i = 0; i < HF_MAX_NEST; i++) {
    if (i >= w->found) break;
    chain[i] = w->chain[(w->found - 1 - i) & (HF_MAX_NEST - 1)];
  }
  return 0;
}

#endif /* HOLDFAST_BPF_CGROUP_PATH_H */
