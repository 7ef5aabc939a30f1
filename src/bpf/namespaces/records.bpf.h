/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Records of the namespaces that are made, for profiles that track them.
 *
 * Whose is a new namespace? Its maker's, if the maker is a member of a tracking profile; else it belongs to the
 * set that the maker is held in, if any. The record is written when the namespace has its number and before
 * anybody can enter it, and dropped when it is freed.
 *
 * These are fexit and fentry programs, which the kernel can skip under preemption, hence four copies of each. What a
 * record that is missing all the same means, rule by rule:
 *   enter = "own"       the namespace is not its own: entering it is refused (closed)
 *   held tasks          the anchor rule counts only recorded namespaces, so nobody gets free by it; for a held
 *                       task, to enter it is refused (closed)
 *   visitors            a visitor enters it as if it were not tracked (open, for this one namespace)
 * A record that was not dropped: number, address and (from 6.18 on) ns_id of another namespace would have to
 * agree; before 6.18 without ns_id, any later namespace with that number that is not tracked overwrites it.
 */
#ifndef HOLDFAST_BPF_NAMESPACES_RECORDS_BPF_H
#define HOLDFAST_BPF_NAMESPACES_RECORDS_BPF_H

#include "bpf/lib/number.bpf.h"
#include "bpf/lib/decision_points.h"
#include "bpf/lib/namespace_types.bpf.h"
#include "bpf/namespaces/subject.bpf.h"

#define HF_IS_ERR(address) ((address) >= (__u64)-HF_MAX_ERRNO)

/* Whose is what the current task makes, by layer? */
struct hf_maker {
  struct hf_owner of[HF_TRACKED_OWNERS];
  __u32 count; /* 0: it is not tracked */
  __u32 pad0;
  struct hf_held held;
};

static __always_inline void hf_add_owner(struct hf_maker *maker, __u64 set, __u64 owner_id) {
  __u32 at = maker->count;
  HF_OPAQUE(at);
  if (at >= HF_TRACKED_OWNERS || set == HF_NO_SET || !owner_id) return;
  maker->of[at].set = set;
  maker->of[at].owner = owner_id;
  maker->count = at + 1;
}

/* Under the layer maker->held.next. A global function: verified once, not for each layer. */
__noinline int hf_find_maker(struct hf_maker *maker) {
  __u64 task = bpf_get_current_task();
  const struct hf_profile *own, *owner;
  struct hf_subject subject = {};
  const struct hf_tables *t;
  struct hf_held *held;
  if (!maker) return 0;
  held = &maker->held;
  hf_turn_to(held, held->next, held->first);
  t = hf_know_subject(&subject, held, task);
  if (!subject.concerned || !t || subject.unknown) return 0;
  own = hf_profile_at(t, subject.profile);
  if (hf_any_tracked()) hf_derive_current(held, subject.profile);
  if (subject.profile != HF_NO_PROFILE && own && own->ns_track) {
    hf_add_owner(maker, subject.set, hf_owner_id(held, subject.profile));
    return 0;
  }
  owner = hf_profile_at(t, held->owner);
  if (!own || !owner || held->set == HF_NO_SET) return 0;
  if (own->ns_enter != HF_ENTER_LOCK && (subject.profile == held->owner || owner->ns_visitors == HF_VISITORS_ALLOW))
    return 0;
  hf_add_owner(maker, held->set, held->owner_id);
  return 0;
}

__noinline int hf_made(__u64 ns_address, __u32 type) {
  const struct ns_common *ns = (const void *)ns_address;
  struct hf_maker maker = {};
  __u32 inum = 0;
  if (!type) return 0;
  bpf_core_read(&inum, sizeof(inum), &ns->inum);
  if (!inum || inum == HF_ANONYMOUS_MOUNTS_INUM) return 0;
  if (hf_is_nobody_now()) {
    hf_untrack(inum); /* of a namespace that had this number before */
    return 0;
  }
  hf_begin_layers(&maker.held, bpf_get_current_task());
#pragma clang loop unroll(disable)
  for (__u32 i = 0; i < HF_LAYERS_DECIDE && maker.held.next != HF_NO_LAYER; i++) hf_find_maker(&maker);
  if (maker.count)
    hf_track(ns, type, maker.of);
  else
    hf_untrack(inum);
  return 0;
}

/* ---- 6.18 and later: one function for all types ------------------------------------------------------- */

#define HF_MADE(copy) \
  SEC("fexit/" HF_MAKES_EVERY_NS) \
  int HF_PROG_RESULT(hf_common_init##copy, struct ns_common *ns, __u32 type, const struct proc_ns_operations *ops, \
                     int inum, int ret) { \
    if (ret == 0) hf_made(hf_number(ns), hf_types_of_flags(type)); \
    return 0; \
  }
HF_MADE(1)
HF_MADE(2)
HF_MADE(3)
HF_MADE(4)

#define HF_FREED(copy) \
  SEC("fentry/" HF_FREES_EVERY_NS) \
  int BPF_PROG(hf_common_free##copy, struct ns_common *ns) { \
    __u32 inum = 0; \
    bpf_core_read(&inum, sizeof(inum), &ns->inum); \
    if (inum != HF_ANONYMOUS_MOUNTS_INUM) hf_untrack(inum); \
    return 0; \
  }
HF_FREED(1)
HF_FREED(2)
HF_FREED(3)
HF_FREED(4)

/* ---- before: a function for each type, which returns the old namespace when there is nothing to make ---- */

static __always_inline int hf_copied(__u64 made, __u64 old, __u64 offset, __u32 type) {
  if (made == 0 || made == old || HF_IS_ERR(made)) return 0;
  return hf_made(made + offset, type);
}

#define HF_COPIED(function, kind, type, copy) \
  SEC("fexit/" #function) \
  int HF_PROG_RESULT(hf_##function##copy, unsigned long flags, struct user_namespace *user_ns, struct kind *old, \
                     struct kind *ret) { \
    return hf_copied(hf_number(ret), hf_number(old), bpf_core_field_offset(struct kind, ns), type); \
  }
#define HF_COPIED_MNT(function, kind, type, copy) \
  SEC("fexit/" #function) \
  int HF_PROG_RESULT(hf_##function##copy, unsigned long flags, struct kind *old, struct user_namespace *user_ns, \
                     struct fs_struct *fs, struct kind *ret) { \
    return hf_copied(hf_number(ret), hf_number(old), bpf_core_field_offset(struct kind, ns), type); \
  }

#define HF_CREATED_USER(function, kind, type, copy) \
  SEC("fexit/" #function) \
  int HF_PROG_RESULT(hf_##function##copy, struct cred *cred, int ret) { \
    struct kind *ns = 0; \
    if (ret) return 0; \
    bpf_core_read(&ns, sizeof(ns), &cred->user_ns); \
    return hf_made(hf_number(ns) + bpf_core_field_offset(struct kind, ns), type); \
  }

#define HF_MADE_BY(program, ...) \
  program(__VA_ARGS__, 1) program(__VA_ARGS__, 2) program(__VA_ARGS__, 3) program(__VA_ARGS__, 4)
#define HF_MADE_BY_COPY(...) HF_MADE_BY(HF_COPIED, __VA_ARGS__)
#define HF_MADE_BY_COPY_MNT(...) HF_MADE_BY(HF_COPIED_MNT, __VA_ARGS__)
#define HF_MADE_BY_CREATE_USER(...) HF_MADE_BY(HF_CREATED_USER, __VA_ARGS__)
#define HF_MAKER_POINT(proc, TYPE, install, questions, how, make, kind) HF_MADE_BY_##how(make, kind, HF_NS_##TYPE)
HF_NAMESPACE_POINTS(HF_MAKER_POINT)

#define HF_FREED_INUM(copy) \
  SEC("fentry/" HF_FREES_EVERY_INUM) \
  int BPF_PROG(hf_proc_free_inum##copy, unsigned int inum) { \
    hf_untrack(inum); \
    return 0; \
  }
HF_FREED_INUM(1)
HF_FREED_INUM(2)
HF_FREED_INUM(3)
HF_FREED_INUM(4)

#endif /* HOLDFAST_BPF_NAMESPACES_RECORDS_BPF_H */
