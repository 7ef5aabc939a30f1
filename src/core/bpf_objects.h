/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * BPF objects that tasks with rules about bpf have made, and how much there is of them: the values of the maps of
 * bpf/machine/bpf_commands.bpf.h.
 *
 * The rules of core/abi.h hold here too: fixed-width fields, explicit padding, asserted layout.
 */
#ifndef HOLDFAST_CORE_BPF_OBJECTS_H
#define HOLDFAST_CORE_BPF_OBJECTS_H

#include "core/layers.h"
#include "core/tracked.h"

#define HF_BPF_OBJECTS_MAX 65536u  /* maps, programs and tokens at one time */
#define HF_BPF_OBJECTS_SHARE 8192u /* of them, of one service or session */
#define HF_BPF_USERS_MAX 8192u     /* services and sessions that have made one */

/* A map, program or token. Key: its address. */
struct hf_bpf_object {
  __u64 bytes;
  __u32 kind;                           /* HF_VIA_BPF_MAP, HF_VIA_BPF_PROGRAM; HF_VIA_BPF_COMMAND: a token */
  __u32 counted;                        /* bit i: it counts against the quota of owner i */
  struct hf_owner of[HF_LAYERS_DECIDE]; /* under each layer; the first with owner 0 ends them */
};

/* What there is now, the most there ever was, and what was made in all. */
struct hf_bpf_usage {
  __u64 maps;
  __u64 programs;
  __u64 memory; /* bytes, as core/bpf_memory.h counts them */
  __u64 most_maps;
  __u64 most_programs;
  __u64 most_memory;
  __u64 maps_made;
  __u64 programs_made;
  __u64 tokens_made;
  __u64 attached;
  __u64 objects; /* that are recorded, counted or not */
};

/* What the daemon asks of the program that takes over the records of another instance: a packet that is none. */
#define HF_TAKE_OBJECT 1u /* records an object, and counts it for its owners */
#define HF_TAKE_BACK 2u   /* it was gone before it was here */
#define HF_TAKE_TOTALS 3u /* of what was made in all, and the most there was */

struct hf_bpf_take_over {
  __u8 head[16]; /* zero: the kernel wants a link layer's header */
  __u32 what;    /* HF_TAKE_* */
  __u32 pad0;
  __u64 key; /* the address of the object, or what the usage is of */
  struct hf_bpf_object object;
  struct hf_bpf_usage usage;
};

/* What it returns. */
#define HF_TAKEN 1u
#define HF_TAKEN_ALREADY 2u
#define HF_TAKE_NO_ROOM 3u

HF_LAYOUT(sizeof(struct hf_bpf_take_over) == 32 + sizeof(struct hf_bpf_object) + sizeof(struct hf_bpf_usage));
HF_AT(hf_bpf_take_over, key, 24);
HF_AT(hf_bpf_take_over, object, 32);
HF_LAYOUT(sizeof(struct hf_bpf_object) == 16 + 16 * HF_LAYERS_DECIDE);
HF_LAYOUT(sizeof(struct hf_bpf_usage) == 88);

#endif /* HOLDFAST_CORE_BPF_OBJECTS_H */
