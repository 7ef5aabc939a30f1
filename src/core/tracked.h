/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Tracked namespaces: the values of the maps of bpf/namespaces.
 *
 * The rules of core/abi.h hold here too: fixed-width fields, explicit padding, asserted layout.
 */
#ifndef HOLDFAST_CORE_TRACKED_H
#define HOLDFAST_CORE_TRACKED_H

#include "core/abi.h"

/* Namespaces tracked at one time: in a run, on a machine, and of one sandbox there. */
#define HF_TRACKED_MAX 16384u
#define HF_MACHINE_TRACKED_MAX 262144u
#define HF_MACHINE_TRACKED_SHARE 4096u
#define HF_TRACKED_SETS_MAX 65536u /* sandboxes of a machine that have a tracked namespace */
#define HF_TRACKED_OWNERS 5u       /* layers that decide about one task, which makes the namespace */
#define HF_NUMBER_WORDS 64u        /* of hf_tracking.numbers */

/* The sandbox that a tracked namespace belongs to, under one layer (core/layers.h). */
struct hf_owner {
  __u64 set;
  /* The profile that tracks it, not 0: its number in a run, on a machine an id that outlives a policy (core/layers.h). */
  __u64 owner;
};

/*
 * A tracked namespace. Key: its inode number. Numbers are reused, and so are addresses: a namespace is
 * the recorded one only when number, address and, where the kernel has it, ns_id agree.
 */
struct hf_tracked {
  __u64 address; /* of its ns_common */
  __u64 ns_id;   /* 0 where the kernel has none, and before a task met the namespace */
  __u32 type;    /* one HF_NS_* */
  __u32 pad0;
  struct hf_owner of[HF_TRACKED_OWNERS]; /* the first with owner 0 ends them */
};

/*
 * What is known about the system call a task is in. Key: address of its task_struct. The first part is
 * written by the captures and never trusted to be there; the second by the programs that decide.
 */
struct hf_call {
  __u64 address; /* of the ns_common about to be installed; 0: none captured */
  __u64 ns_id;
  __u32 inum;
  __u32 type;        /* one HF_NS_* */
  __u32 checks_done; /* capability checks seen for this install */
  __u32 syscall;     /* below: the last decided call that has several decision points */
  __u64 arguments;
  __u32 points_left; /* decision points of that call still to come */
  __u32 pad0;
};

struct hf_tracking {
  __u32 any; /* 0: no namespace was ever tracked, nothing can be held */
  __u32 pad0;
  /*
   * A bit for the low bits of each number that was ever tracked, and never cleared: where it is clear, no tracked
   * namespace has the number, and the hash need not be asked. Nearly all questions end here.
   */
  __u64 numbers[HF_NUMBER_WORDS];
};

HF_LAYOUT(sizeof(struct hf_tracked) == 104);
HF_AT(hf_tracked, of, 24);
HF_LAYOUT(sizeof(struct hf_call) == 48);
HF_AT(hf_call, inum, 16);
HF_AT(hf_call, arguments, 32);
HF_LAYOUT(sizeof(struct hf_tracking) == 520);

#endif /* HOLDFAST_CORE_TRACKED_H */
