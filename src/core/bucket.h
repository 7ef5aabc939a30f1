/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Token buckets, exact to the token.
 *
 * A bucket counts in parts so fine that nothing is ever rounded: a token is worth `period_ns` parts, and
 * every nanosecond adds `tokens` of them, so that a period adds exactly `tokens` tokens, whatever the
 * numbers and however often somebody looks. It holds `burst` tokens and starts full.
 *
 * All fits 64 bits: burst and tokens are at most a million, a period is at most an hour. The caller keeps
 * others away from the bucket meanwhile (a lock, or one thread).
 */
#ifndef HOLDFAST_CORE_BUCKET_H
#define HOLDFAST_CORE_BUCKET_H

#include "core/abi.h"

struct hf_bucket {
  __u64 parts;   /* in it */
  __u64 time_ns; /* when that was so; 0: never used, full */
};

HF_LAYOUT(sizeof(struct hf_bucket) == 16);

/* Takes a token if there is one: 1, or 0. `now_ns` is of any clock that does not go back. */
static inline __attribute__((always_inline)) int hf_bucket_take(struct hf_bucket *bucket, __u64 now_ns,
                                                                const struct hf_socket_rule *rule) {
  __u64 most = (__u64)rule->rate_burst * rule->rate_period_ns;
  __u64 parts = bucket->parts;
  __u64 passed = now_ns - bucket->time_ns;
  if (!rule->rate_tokens || !rule->rate_period_ns) return 0;
  if (!bucket->time_ns) {
    parts = most;
  } else if (now_ns <= bucket->time_ns) {
    now_ns = bucket->time_ns; /* another processor's clock was read first */
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
