/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Who acts, as the programs of this folder need to know. The functions that are only declared here are in
 * bpf/machine/machine_namespace.bpf.h.
 */
#ifndef HOLDFAST_BPF_NAMESPACES_SUBJECT_BPF_H
#define HOLDFAST_BPF_NAMESPACES_SUBJECT_BPF_H

#include "bpf/lib/decide.bpf.h"
#include "bpf/namespaces/held.bpf.h"

/* Who acts, under one layer. */
struct hf_subject {
  __u64 set;      /* the sandbox that it was started in, or its service; HF_NO_SET: none */
  __u16 profile;  /* HF_NO_PROFILE: no rules are about it, but it may be held */
  __u8 concerned; /* 0: there is nothing to decide about this task */
  __u8 unknown;   /* 1: its profile cannot be told, so each decision is a refusal */
  __u32 pad0;
};

/* The operation that is decided. One for each program: the stack has no room for two. */
struct hf_operation {
  __u64 task;        /* who acts: current, or a task that cannot run; its address */
  __u64 object;      /* the task that is traced; 0: none */
  __u64 entered;     /* address of the ns_common that is entered; 0: the kernel did not pass it, see captures.bpf.h */
  __u64 call;        /* a number for the call, which tells it from the one before; 0: the kernel asks once in it */
  __u32 target;      /* namespace inode number */
  __u32 flags;       /* HF_REQ_*, under each layer */
  __u32 layer_flags; /* HF_REQ_*, under the layer that is asked */
  __u16 points;      /* how often the kernel asks in this call */
  __u16 begun;       /* 1: what the call says has been read, for all layers */
  __u16 ns_types;
  __u16 voice; /* HF_SAY, HF_SILENT */
  __u16 op;
  __u16 via;
  struct hf_subject subject;
  struct hf_held held; /* where the subject sits now */
};

/* Whether this decision point is the first of its operation: the others repeat it and say nothing. */
#define HF_SAY 0u
#define HF_SILENT 1u /* but for a refusal */

/* Is no rule about the current task as it is? Spares most tasks the rest. */
static int hf_is_nobody_now(void);

/* Before layers have their turn: which of them is the first for this task. */
static void hf_begin_layers(struct hf_held *held, __u64 task);

/*
 * Fills in who acts. Returns the policy that decides about it; null, although the subject is concerned: there is none,
 * which is counted here.
 */
static const struct hf_tables *hf_know_subject(struct hf_subject *subject, struct hf_held *held, __u64 task);

/* The profile of a task that something is done to. -1: it cannot be told. */
static int hf_object_profile(const struct hf_held *held, __u64 task);

/* What records have as the owner of a namespace: the opposite of hf_owner_number(). */
static __u64 hf_owner_id(const struct hf_held *held, __u16 profile);

/* Counts a refusal for want of what it takes to decide. */
static void hf_count_undecidable(void);

/* Decides, counts and reports. The answer for the kernel: 0, or not 0 to refuse. */
static int hf_conclude(const struct hf_tables *t, struct hf_request *r, const struct hf_operation *o);

#endif /* HOLDFAST_BPF_NAMESPACES_SUBJECT_BPF_H */
