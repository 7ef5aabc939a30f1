/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Which profiles a cgroup lies in, as a machine that reads its path one component at a time.
 *
 * The bindings of a policy ("/system.slice/web.service", "/user.slice/user-*.slice") become a trie.
 * An edge is a component: its exact name, or a pattern with '*'. A walk starts at the root cgroup,
 * whose component is the empty name, and keeps every node that the path read so far may be at; each
 * edge taken that ends a binding adds its profile.
 *
 * Names rather than cgroup ids: a name is there before anything can run in the cgroup and never
 * changes (the unified hierarchy has no rename), so a cgroup that appears later, or again, belongs
 * to its profile from its first moment, with nobody watching for it.
 *
 * Every key carries the generation of the policy, so that two policies are in the maps side by side
 * and a decision, which reads the generation once, never mixes them.
 */
#ifndef HOLDFAST_CORE_PATHS_H
#define HOLDFAST_CORE_PATHS_H

#include "core/abi.h"

#define HF_PATH_NAME 256u         /* NAME_MAX and the final NUL */
#define HF_PATH_STATES 8u         /* nodes a walk may be at: more is refused, not cut short */
#define HF_PATH_GLOBS 64u         /* patterns that start at one node */
#define HF_PATH_DEPTH 256u        /* levels below the root; a deeper cgroup cannot be told: refused */
#define HF_PATH_START 0xffffffffu /* the node before the root's component */

/* Key of a component by its name. Bytes after the name's NUL are zero. */
struct hf_path_key {
  __u64 generation;
  __u32 node;
  __u32 pad0;
  char name[HF_PATH_NAME];
};

/* Where a component leads. */
struct hf_path_edge {
  __u32 node;
  __u16 profile; /* bound here; 0: none */
  __u16 globs;   /* patterns that start at `node` */
};

/* Key of pattern number `index` of a node, least specific first. */
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
