/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * How decisions are counted. The BPF programs, the supervisor, holdfastd, the summary of a run and the metrics
 * all use this definition.
 *
 * Each decision has exactly one outcome, so allowed + denied + audited is the number of decisions. The other two
 * counters count decisions that are also in one of these:
 *
 *   locked   decisions that also locked the task; they are in allowed
 *   errors   refusals because a fact was missing; they are in denied or audited
 *
 * If there is no memory to begin a decision, the operation is refused and counted as denied and as an error.
 */
#ifndef HOLDFAST_CORE_COUNTERS_H
#define HOLDFAST_CORE_COUNTERS_H

#include "core/abi.h"
#include "core/inline.h"

/* Outcomes. */
#define HF_ALLOWED 0u
#define HF_DENIED 1u
#define HF_AUDITED 2u /* would have been denied */
#define HF_OUTCOMES 3u

struct hf_counters {
  __u64 allowed;
  __u64 denied;
  __u64 audited;
  __u64 locked;
  __u64 errors;
};

HF_LAYOUT(sizeof(struct hf_counters) == 40);

/* The outcome (HF_ALLOWED, …) of a verdict. HF_LIMIT counts as a refusal unless hf_settle() has made it HF_ALLOW. */
HF_INLINE __u32 hf_outcome(const struct hf_verdict *v) {
  if (v->action != HF_DENY && v->action != HF_LIMIT) return HF_ALLOWED;
  return v->mode == HF_MODE_AUDIT ? HF_AUDITED : HF_DENIED;
}

/* Was the operation refused because a fact was missing or invalid? */
HF_INLINE int hf_lacked_facts(const struct hf_verdict *v) {
  return v->reason == HF_REASON_FACTS_MISSING || v->reason == HF_REASON_TARGET_UNKNOWN ||
         v->reason == HF_REASON_BAD_REQUEST;
}

/* Counts one decision. Processors and threads may count concurrently. */
HF_INLINE void hf_count_decision(struct hf_counters *counters, const struct hf_verdict *v) {
  __u32 outcome = hf_outcome(v);
  if (outcome == HF_ALLOWED) {
    __sync_fetch_and_add(&counters->allowed, 1);
    if (v->action == HF_LOCK) __sync_fetch_and_add(&counters->locked, 1);
    return;
  }
  if (outcome == HF_AUDITED)
    __sync_fetch_and_add(&counters->audited, 1);
  else
    __sync_fetch_and_add(&counters->denied, 1);
  if (hf_lacked_facts(v)) __sync_fetch_and_add(&counters->errors, 1);
}

#ifndef __bpf__
/* A copy of counters that may change concurrently. Each value is consistent, all of them together are not. */
HF_INLINE struct hf_counters hf_read_counters(const struct hf_counters *counters) {
  struct hf_counters copy;
  copy.allowed = __atomic_load_n(&counters->allowed, __ATOMIC_RELAXED);
  copy.denied = __atomic_load_n(&counters->denied, __ATOMIC_RELAXED);
  copy.audited = __atomic_load_n(&counters->audited, __ATOMIC_RELAXED);
  copy.locked = __atomic_load_n(&counters->locked, __ATOMIC_RELAXED);
  copy.errors = __atomic_load_n(&counters->errors, __ATOMIC_RELAXED);
  return copy;
}
#endif

/* Counts an operation that was refused before a decision could begin. */
HF_INLINE void hf_count_undecided(struct hf_counters *counters) {
  __sync_fetch_and_add(&counters->denied, 1);
  __sync_fetch_and_add(&counters->errors, 1);
}

#endif /* HOLDFAST_CORE_COUNTERS_H */
