/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Counts of decisions by profile, hook and verdict, as the machine-wide programs keep them.
 *
 * They outlive policies and the daemon: a profile keeps its slot by its name, and a policy's profile finds the
 * slot by its number and the policy's generation.
 */
#ifndef HOLDFAST_CORE_PROFILE_COUNTERS_H
#define HOLDFAST_CORE_PROFILE_COUNTERS_H

#include "core/counters.h"

#define HF_COUNTERS_SLOTS 2048u
#define HF_COUNTERS_NONE 0u  /* slot of decisions by no profile's rule */
#define HF_COUNTERS_OTHER 1u /* of profiles that found no free slot */
#define HF_COUNTERS_FIRST 2u
#define HF_COUNTERS_NAME 72u /* of a profile, and zeros */

struct hf_profile_counters_key {
  __u64 generation;
  __u32 profile;
  __u32 pad0;
};

struct hf_profile_counters {
  char profile[HF_COUNTERS_NAME]; /* "": the slot is free */
  __u64 counts[HF_OP_COUNT][HF_OUTCOMES];
};

HF_LAYOUT(sizeof(struct hf_profile_counters_key) == 16);
HF_LAYOUT(sizeof(struct hf_profile_counters) == 288);
HF_AT(hf_profile_counters, counts, 72);

#endif /* HOLDFAST_CORE_PROFILE_COUNTERS_H */
