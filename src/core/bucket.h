/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Token buckets that are exact to the token.
 *
 * A bucket counts in parts of a token, so that nothing is rounded. A token is `period_ns` parts, and every
 * nanosecond adds `tokens` parts. So a period adds exactly `tokens` tokens, however often the bucket is used.
 * A bucket holds at most `burst` tokens and starts full.
 *
 * All values fit 64 bits: burst and tokens are at most a million, and a period is at most an hour. The caller
 * must prevent concurrent use of a bucket, by a lock or by using one thread.
 */
#ifndef HOLDFAST_CORE_BUCKET_H
#define HOLDFAST_CORE_BUCKET_H

#include "core/abi.h"

struct hf_bucket {
  __u64 parts;   /* the content at time_ns */
  __u64 time_ns; /* 0: never used, so it is full */
};

HF_LAYOUT(sizeof(struct hf_bucket) == 16);

/* Takes a token and returns 1, or returns 0 if there is none. `now_ns` is of any monotonic clock. */
static inline __attribute__((always_inline)) int hf_bucket_take(struct hf_bucket *bucket, __u64 now_ns,
                                                                const struct hf_socket_rule *rule) {
  __u64 most = (__u64)rule->rate_burst * rule->rate_period_ns;
  __u64 parts = bucket->parts;
  __u64 passed = now_ns - bucket->time_ns;
  if (!rule->rate_tokens || !rule->rate_period_ns) return 0;
  if (!bucket->time_ns) {
    parts = most;
  } else if (now_ns <= bucket->time_ns) {
    now_ns = bucket->time_ns; /* another processor read a later time */
  } else if (passed > most / rule->rate_tokens) {
    parts = most;
  } else {
    parts += passed * rule->rate_tokens;
    if (parts > most) parts = most;
  }
  bucket->time_ns = now_ns;
  bucket->parts = parts;
  if (parts < rule->rate_period_ns) return 0;
  bucket->parts = parts - rule->rate_period_ns;
  return 1;
}

#endif /* HOLDFAST_CORE_BUCKET_H */
