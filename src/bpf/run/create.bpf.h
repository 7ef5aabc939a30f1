/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * A namespace is about to be made: the facts, and the decision. Called before the kernel allocates any.
 */
#ifndef HOLDFAST_BPF_RUN_CREATE_BPF_H
#define HOLDFAST_BPF_RUN_CREATE_BPF_H

#include "bpf/run/decision.bpf.h"
#include "bpf/lib/namespace_types.bpf.h"
#include "bpf/lib/syscall.bpf.h"

static __always_inline int hf_decide_creation(const struct hf_session *s, __u64 task, const struct hf_member *member,
                                              __u16 way, __u32 types, __u32 voice) {
  struct hf_request r = {.op = HF_OP_NAMESPACE_ALLOC, .via = way, .ns_types = types};
  struct hf_context context = {.voice = voice};
  if (!types || (!member && !s->any_tracked) || hf_not_yet_ruled(s, member)) return 0;
  hf_know_actor(s, task, member, &r, &context);
  return hf_conclude(&r, &context);
}

#endif /* HOLDFAST_BPF_RUN_CREATE_BPF_H */
