/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Finds the socket rule of a profile that decides a request. */
#ifndef HOLDFAST_CORE_SOCKET_RULE_H
#define HOLDFAST_CORE_SOCKET_RULE_H

#include "core/abi.h"
#include "core/inline.h"

HF_INLINE int hf_labels_match(const struct hf_label_match *want, __u32 count, const __u32 *have) {
  for (__u32 i = 0; i < HF_MAX_LABEL_MATCHES; i++) {
    __u32 value;
    if (i >= count) break;
    if (want[i].name >= HF_MAX_LABEL_NAMES) return 0;
    value = have[want[i].name];
    if (want[i].kind == HF_LABEL_VALUE && value != want[i].value) return 0;
    if (want[i].kind == HF_LABEL_ANY && value == HF_LABEL_ID_ABSENT) return 0;
    if (want[i].kind == HF_LABEL_ABSENT && value != HF_LABEL_ID_ABSENT) return 0;
  }
  return 1;
}

HF_INLINE int hf_socket_rule_matches(const struct hf_socket_rule *rule, const struct hf_request *r) {
  if (!(rule->ops & r->sock_op) || !(rule->families & r->sock_family)) return 0;
  return hf_labels_match(rule->own, rule->own_count, r->own_labels) &&
         hf_labels_match(rule->peer, rule->peer_count, r->peer_labels);
}

/*
 * Returns the index of the first rule that matches, or HF_MAX_SOCKET_RULES. BPF programs may replace this search by
 * another one, because the verifier checks every iteration of a counted loop, in each program that has it.
 */
#ifndef HF_FIRST_SOCKET_RULE
#define HF_FIRST_SOCKET_RULE(t, r, own) hf_first_socket_rule(t, r, own)
HF_INLINE __u32 hf_first_socket_rule(const struct hf_tables *t, const struct hf_request *r,
                                     const struct hf_profile *own) {
  for (__u32 i = 0; i < HF_MAX_PROFILE_SOCKET_RULES; i++) {
    __u32 at = own->socket_first + i;
    if (i >= own->socket_count) break;
    HF_OPAQUE(at);
    if (at >= HF_MAX_SOCKET_RULES) break;
    if (hf_socket_rule_matches(&t->socket_rules[at], r)) return at;
  }
  return HF_MAX_SOCKET_RULES;
}
#endif

#endif /* HOLDFAST_CORE_SOCKET_RULE_H */
