/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * What a bridged program leaves for the program that enforces it: one entry for each task that is
 * inside the hook, keyed by the task's address. Written by generated instructions
 * (hooks/rewrite.cc).
 */
#ifndef HOLDFAST_BPF_BRIDGE_HOOKS_VERDICT_H
#define HOLDFAST_BPF_BRIDGE_HOOKS_VERDICT_H

#include <linux/types.h>

struct hf_hook_verdict {
  __s32 verdict;  /* what the program returned; anything but 0 is a refusal */
  __u32 seen;     /* a bit for each copy that has met this call */
  __u32 uses;     /* questions answered from this entry */
  __u32 max_uses; /* how many one call asks; more means the entry is an old one */
  __u64 object;   /* what the call is about, to tell it from an old one */
};

/* The task that is being moved, keyed by the address of the one that moves it. */
struct hf_moved_task {
  __u64 task;    /* a pointer that the verifier knows */
  __u64 outside; /* 1: not of the cgroup that the program is limited to */
  __u64 child;   /* its address when clone3() makes it; 0 when it is moved by a write */
  __u64 asked;   /* 1: clone3() has asked whether it may write to the target */
};

/* Concurrent calls, not tasks: a full table is a refusal. */
#define HF_OP_CALLS 4096

/* Counters of an enforcer, by index. */
#define HF_OP_REFUSED 0u   /* the program said no */
#define HF_OP_NO_ANSWER 1u /* the program did not run: refused */
#define HF_OP_COUNTERS 2u

#endif /* HOLDFAST_BPF_BRIDGE_HOOKS_VERDICT_H */
