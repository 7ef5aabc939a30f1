/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The data that a bridged program passes to the program that enforces its verdict: one entry for each
 * task inside the hook, keyed by the task's address. Generated instructions write it
 * (hooks/rewrite.cc).
 */
#ifndef HOLDFAST_BPF_BRIDGE_HOOKS_VERDICT_H
#define HOLDFAST_BPF_BRIDGE_HOOKS_VERDICT_H

#include <linux/types.h>

struct hf_hook_verdict {
  __s32 verdict;  /* the program's return value; 0: allowed */
  __u32 seen;     /* a bit for each copy of the program that has run for this call */
  __u32 uses;     /* the number of permission checks that used this entry */
  __u32 max_uses; /* the number of checks in one call; if there are more, the entry is of an earlier call */
  __u64 object;   /* the object of the call, to detect an entry of an earlier call */
};

/* The task that is moved, keyed by the address of the task that moves it. */
struct hf_moved_task {
  __u64 task;    /* a pointer that the verifier knows */
  __u64 outside; /* 1: not in the cgroup that the program is limited to */
  __u64 child;   /* the address of a child of clone3(); 0: the move is a write */
  __u64 asked;   /* 1: clone3() has checked that it may write to the target */
};

/* The number of concurrent calls, not of tasks. If the map is full, the call is refused. */
#define HF_OP_CALLS 4096

/* Counters of an enforcer, by index. */
#define HF_OP_REFUSED 0u   /* the program refused */
#define HF_OP_NO_ANSWER 1u /* the program did not run: refused */
#define HF_OP_COUNTERS 2u

#endif /* HOLDFAST_BPF_BRIDGE_HOOKS_VERDICT_H */
