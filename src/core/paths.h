/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Finds the profiles of a cgroup by its path, as a state machine that reads one component at a time.
 *
 * The bindings of a policy ("/system.slice/web.service", "/user.slice/user-*.slice") are a trie. An edge
 * is a component: an exact name, or a pattern with '*'. A walk starts at the root cgroup, whose component
 * is the empty name. It keeps all nodes that the path so far can reach. Each edge on the way that ends a
 * binding adds the profile of that binding.
 *
 * The trie has names and not cgroup ids. A cgroup has its name before any task can be in it, and the
 * unified hierarchy has no rename. So a cgroup that is made later, or again, has its profile from the
 * start, without a process that watches for new cgroups.
 *
 * Every key contains the generation of the policy, so the maps can contain two policies. A decision reads
 * the generation once and so never mixes them.
 */
#ifndef HOLDFAST_CORE_PATHS_H
#define HOLDFAST_CORE_PATHS_H

#include "core/abi.h"

#define HF_PATH_NAME 256u         /* NAME_MAX and the final NUL */
#define HF_PATH_STATES 8u         /* nodes that a walk can be at; a policy that needs more is refused */
#define HF_PATH_GLOBS 64u         /* patterns that start at one node */
#define HF_PATH_DEPTH 256u        /* levels below the root; the profile of a deeper cgroup is unknown: refused */
#define HF_PATH_START 0xffffffffu /* the node before the root's component */

/* The key of an edge with an exact name. Bytes after the NUL of the name are zero. */
struct hf_path_key {
  __u64 generation;
  __u32 node;
  __u32 pad0;
  char name[HF_PATH_NAME];
};

/* The target of an edge. */
struct hf_path_edge {
  __u32 node;
  __u16 profile; /* bound here; 0: none */
  __u16 globs;   /* patterns that start at `node` */
};

/* The key of pattern number `index` of a node. The least specific pattern is first. */
struct hf_glob_key {
  __u64 generation;
  __u32 node;
  __u32 index;
};

struct hf_glob {
  struct hf_path_edge edge;
  char text[HF_PATH_NAME];
};

HF_LAYOUT(sizeof(struct hf_path_key) == 272);
HF_AT(hf_path_key, name, 16);
HF_LAYOUT(sizeof(struct hf_path_edge) == 8);
HF_LAYOUT(sizeof(struct hf_glob_key) == 16);
HF_LAYOUT(sizeof(struct hf_glob) == 264);

#endif /* HOLDFAST_CORE_PATHS_H */
