/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The numbers of decisions by profile, operation and outcome, in the maps of the machine-wide programs.
 *
 * They outlive policies and the daemon. A profile has a slot by its name. A program finds the slot by the number of
 * the profile and the generation of the policy.
 */
#ifndef HOLDFAST_CORE_PROFILE_COUNTERS_H
#define HOLDFAST_CORE_PROFILE_COUNTERS_H

#include "core/counters.h"

#define HF_COUNTERS_SLOTS 2048u
#define HF_COUNTERS_NONE 0u  /* the slot of decisions that no profile's rule made */
#define HF_COUNTERS_OTHER 1u /* the slot of all profiles that found no free slot */
#define HF_COUNTERS_FIRST 2u
#define HF_COUNTERS_NAME 72u /* bytes for the name of a profile, padded with zeros */

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
