/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* The decision of core/decide.h, with a search of socket rules that the verifier has to check only once. */
#ifndef HOLDFAST_BPF_LIB_DECIDE_BPF_H
#define HOLDFAST_BPF_LIB_DECIDE_BPF_H

#include <linux/bpf.h>
#include <linux/types.h>

#include <bpf/bpf_helpers.h>

struct hf_tables;
struct hf_request;
struct hf_profile;
static __u32 hf_search_first(const struct hf_tables *t, const struct hf_request *r, const struct hf_profile *own);
#define HF_EACH(count, step, context) bpf_loop(count, step, context, 0)
#define HF_FIRST_SOCKET_RULE(t, r, own) hf_search_first(t, r, own)
#include "core/decide.h"

/* The state of a search among the rules of a profile. */
struct hf_rule_search {
  const struct hf_tables *t;
  const struct hf_request *r;
  __u32 first;
  __u32 found;
};

static long hf_search_matching(__u32 i, struct hf_rule_search *search) {
  __u32 at = search->first + i;
  HF_OPAQUE(at);
  if (at >= HF_MAX_SOCKET_RULES) return 1;
  if (!hf_socket_rule_matches(&search->t->socket_rules[at], search->r)) return 0;
  search->found = at;
  return 1;
}

static __u32 hf_search_first(const struct hf_tables *t, const struct hf_request *r, const struct hf_profile *own) {
  struct hf_rule_search search = {.t = t, .r = r, .first = own->socket_first, .found = HF_MAX_SOCKET_RULES};
  bpf_loop(own->socket_count, hf_search_matching, &search, 0);
  return search.found;
}

#endif /* HOLDFAST_BPF_LIB_DECIDE_BPF_H */
