/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Records of the namespaces that are made while a session runs, for profiles that track them.
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
#ifndef HOLDFAST_BPF_TRACK_BPF_H
#define HOLDFAST_BPF_TRACK_BPF_H

#include "bpf/decision.bpf.h"
#include "bpf/namespace_types.bpf.h"
#include "bpf/record.bpf.h"

#define HF_ANONYMOUS_MOUNTS_INUM 0xEFFFFFF7u /* 7.x: mount namespaces that open_tree makes, never entered */
#define HF_IS_ERR(address) ((address) >= (__u64)-4095)

struct hf_maker {
  __u64 set; /* HF_NO_SET: what it makes is not tracked */
  __u16 owner;
};

static __always_inline void hf_maker_as_held(const struct hf_tables *t, __u16 subject, struct hf_maker *maker) {
  const struct hf_profile *own = hf_profile_at(t, subject);
  const struct hf_profile *owner;
  struct hf_held held = {};
  hf_derive_current(&held, subject);
  owner = hf_profile_at(t, held.owner);
  if (!own || !owner || held.set == HF_NO_SET) return;
  if (own->ns_enter != HF_ENTER_LOCK && (subject == held.owner || owner->ns_visitors == HF_VISITORS_ALLOW)) return;
  maker->set = held.set;
  maker->owner = held.owner;
}

static __always_inline void hf_find_maker(const struct hf_session *s, struct hf_maker *maker) {
  __u64 task = bpf_get_current_task();
  const struct hf_member *member = hf_member_of(task);
  const struct hf_tables *t = hf_tables_at(HF_TABLES_POLICY);
  const struct hf_profile *own;
  if (!t || hf_not_yet_ruled(s, member)) return;
  if (member && member->tables != HF_TABLES_POLICY) return;
  own = member ? hf_profile_at(t, member->profile) : 0;
  if (own && own->ns_track) {
    maker->set = member->set;
    maker->owner = member->profile;
  } else if (s->any_tracked) {
    hf_maker_as_held(t, member ? member->profile : HF_NO_PROFILE, maker);
  }
}

__noinline int hf_made(__u64 ns_address, __u32 type) {
  const struct ns_common *ns = (const void *)ns_address;
  struct hf_session *s = hf_session();
  struct hf_maker maker = {};
  __u32 inum = 0;
  if (!s || !type) return 0;
  bpf_core_read(&inum, sizeof(inum), &ns->inum);
  if (!inum || inum == HF_ANONYMOUS_MOUNTS_INUM) return 0;
  hf_find_maker(s, &maker);
  if (maker.set != HF_NO_SET)
    hf_track(s, ns, type, maker.set, maker.owner);
  else
    bpf_map_delete_elem(&tracked, &inum); /* of a namespace that had this number before */
  return 0;
}

static __always_inline __u64 hf_number(const void *pointer) {
  __u64 address = 0;
  bpf_probe_read_kernel(&address, sizeof(address), &pointer);
  return address;
}

/* ---- 6.18 and later: one function for all types ------------------------------------------------------- */

#define HF_MADE(copy) \
  SEC("fexit/__ns_common_init") \
  int BPF_PROG(hf_common_init##copy, struct ns_common *ns, __u32 type, const void *ops, int inum, int ret) { \
    if (ret == 0) hf_made(hf_number(ns), hf_types_of_flags(type)); \
    return 0; \
  }
HF_MADE(1)
HF_MADE(2)
HF_MADE(3)
HF_MADE(4)

#define HF_FREED(copy) \
  SEC("fentry/__ns_common_free") \
  int BPF_PROG(hf_common_free##copy, struct ns_common *ns) { \
    __u32 inum = 0; \
    bpf_core_read(&inum, sizeof(inum), &ns->inum); \
    if (inum != HF_ANONYMOUS_MOUNTS_INUM) bpf_map_delete_elem(&tracked, &inum); \
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
  int BPF_PROG(hf_##function##copy, unsigned long flags, void *user_ns, void *old, void *ret) { \
    return hf_copied(hf_number(ret), hf_number(old), bpf_core_field_offset(struct kind, ns), type); \
  }
#define HF_COPIES(function, kind, type) \
  HF_COPIED(function, kind, type, 1) \
  HF_COPIED(function, kind, type, 2) \
  HF_COPIED(function, kind, type, 3) \
  HF_COPIED(function, kind, type, 4)
HF_COPIES(copy_utsname, uts_namespace, HF_NS_UTS)
HF_COPIES(copy_ipcs, ipc_namespace, HF_NS_IPC)
HF_COPIES(copy_pid_ns, pid_namespace, HF_NS_PID)
HF_COPIES(copy_net_ns, net, HF_NS_NET)
HF_COPIES(copy_cgroup_ns, cgroup_namespace, HF_NS_CGROUP)
HF_COPIES(copy_time_ns, time_namespace, HF_NS_TIME)

#define HF_COPIED_MNT(copy) \
  SEC("fexit/copy_mnt_ns") \
  int BPF_PROG(hf_copy_mnt_ns##copy, unsigned long flags, void *old, void *user_ns, void *fs, void *ret) { \
    return hf_copied(hf_number(ret), hf_number(old), bpf_core_field_offset(struct mnt_namespace, ns), HF_NS_MNT); \
  }
HF_COPIED_MNT(1)
HF_COPIED_MNT(2)
HF_COPIED_MNT(3)
HF_COPIED_MNT(4)

#define HF_CREATED_USER(copy) \
  SEC("fexit/create_user_ns") \
  int BPF_PROG(hf_create_user_ns##copy, struct cred *cred, int ret) { \
    struct user_namespace *ns = 0; \
    if (ret) return 0; \
    bpf_core_read(&ns, sizeof(ns), &cred->user_ns); \
    return hf_made(hf_number(ns) + bpf_core_field_offset(struct user_namespace, ns), HF_NS_USER); \
  }
HF_CREATED_USER(1)
HF_CREATED_USER(2)
HF_CREATED_USER(3)
HF_CREATED_USER(4)

#define HF_FREED_INUM(copy) \
  SEC("fentry/proc_free_inum") \
  int BPF_PROG(hf_proc_free_inum##copy, unsigned int inum) { \
    __u32 key = inum; \
    bpf_map_delete_elem(&tracked, &key); \
    return 0; \
  }
HF_FREED_INUM(1)
HF_FREED_INUM(2)
HF_FREED_INUM(3)
HF_FREED_INUM(4)

#endif /* HOLDFAST_BPF_TRACK_BPF_H */
