/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * A namespace is about to be made: the facts, and the decision. Called before the kernel allocates any.
 */
#ifndef HOLDFAST_BPF_CREATE_BPF_H
#define HOLDFAST_BPF_CREATE_BPF_H

#include "bpf/decision.bpf.h"
#include "bpf/namespace_types.bpf.h"
#include "bpf/syscall.bpf.h"

#define HF_OPEN_TREE_NAMESPACE 2ull
#define HF_FSMOUNT_NAMESPACE 2ull

static __always_inline __u32 hf_types_of_unshare(__u64 flags) {
  __u32 types = hf_types_of_flags((__u32)flags);
  if (flags & HF_UNSHARE_EMPTY_MNTNS) types |= HF_NS_MNT;
  return types;
}

static __always_inline int hf_decide_creation(const struct hf_session *s,
                                              __u64 task, const struct hf_member *member,
                                              __u16 way, __u32 types, __u32 voice) {
  struct hf_request r = {.hook = HF_HOOK_NAMESPACE_ALLOC, .way = way, .ns_types = types};
  struct hf_context context = {.voice = voice};
  if (!types || (!member && !s->any_tracked) || hf_not_yet_ruled(s, member)) return 0;
  hf_know_actor(s, task, member, &r, &context);
  return hf_conclude(&r, &context);
}

#endif /* HOLDFAST_BPF_CREATE_BPF_H */
