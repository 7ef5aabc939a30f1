/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Whose a task or a namespace is, for sessions of ordinary users: users may hold only what is their own.
 *
 * A task is a user's if all its user ids are that user's, and if it has no more rights than the user gives himself: none in the
 * first user namespace, or any in a user namespace that the user has made, or that is nested in one of those. So a task of
 * root, of another user, or one with the same user id and with capabilities, belongs to no user here.
 */
#ifndef HOLDFAST_BPF_MACHINE_SESSION_USER_BPF_H
#define HOLDFAST_BPF_MACHINE_SESSION_USER_BPF_H

#include "bpf/machine/layers.bpf.h"

#define HF_NO_NEW_PRIVS 1ul /* PFA_NO_NEW_PRIVS */

struct hf_outermost {
  __u64 ns; /* 0: it cannot be read */
};

/* To the ancestor that is a child of the first user namespace. */
static long towards_first(__u32 depth, struct hf_outermost *walk) {
  const struct user_namespace *ns = (const void *)walk->ns, *parent = 0;
  int level = 0;
  if (!ns || bpf_core_read(&level, sizeof(level), &ns->level)) {
    walk->ns = 0;
    return 1;
  }
  if (level <= 1) return 1;
  bpf_core_read(&parent, sizeof(parent), &ns->parent);
  walk->ns = (unsigned long)parent;
  return 0;
}

/* Who has made the user namespace, or the outermost one around it. HF_NO_UID: it is the first one, or unknown. */
static __noinline __u32 maker_of_user_ns(__u64 address) {
  struct hf_outermost walk = {.ns = address};
  const struct user_namespace *ns;
  __u32 uid = HF_NO_UID;
  int level = 0;
  bpf_loop(HF_USER_NS_DEPTH, towards_first, &walk, 0);
  ns = (const void *)walk.ns;
  if (!ns || bpf_core_read(&level, sizeof(level), &ns->level) || level != 1) return HF_NO_UID;
  if (bpf_core_read(&uid, sizeof(uid), &ns->owner.val)) return HF_NO_UID;
  return uid;
}

/* By credentials that do not change: the kernel replaces them as a whole. */
static __noinline __u32 sole_user(__u64 address) {
  const struct cred *cred = (const void *)address;
  const struct user_namespace *ns = 0;
  __u32 uid = HF_NO_UID, other = 0, differ = 0;
  __u64 caps = ~0ull;
  int level = 0;
  if (!cred || bpf_core_read(&uid, sizeof(uid), &cred->uid.val)) return HF_NO_UID;
  if (bpf_core_read(&other, sizeof(other), &cred->euid.val)) return HF_NO_UID;
  differ |= other ^ uid;
  if (bpf_core_read(&other, sizeof(other), &cred->suid.val)) return HF_NO_UID;
  differ |= other ^ uid;
  if (bpf_core_read(&other, sizeof(other), &cred->fsuid.val)) return HF_NO_UID;
  differ |= other ^ uid;
  if (differ || !uid) return HF_NO_UID;
  bpf_core_read(&ns, sizeof(ns), &cred->user_ns);
  if (!ns || bpf_core_read(&level, sizeof(level), &ns->level)) return HF_NO_UID;
  if (level) return maker_of_user_ns((unsigned long)ns) == uid ? uid : HF_NO_UID;
  if (bpf_core_read(&caps, sizeof(caps), &cred->cap_permitted)) return HF_NO_UID;
  return caps ? HF_NO_UID : uid;
}

/* HF_NO_UID: no ordinary user's. */
static __always_inline __u32 sole_user_of(__u64 address) {
  const struct task_struct *task = (const void *)address;
  const struct cred *cred = 0;
  bpf_core_read(&cred, sizeof(cred), &task->real_cred);
  return sole_user((unsigned long)cred);
}

/* Has the session a say about a task of `uid` that is no member? About a container has_no_say() tells. */
static __always_inline int may_hold_visitor(__u32 slot, __u32 uid) {
  const struct hf_session_state *session = session_at(slot);
  return session && session->id && (!session->user || session->asked || session->owner == uid);
}

/*
 * May this task be a member of a session of `uid`? HF_ADOPTION_*, or 0. no_new_privs first: nothing takes it back, so the
 * credentials that are read after it are, and stay, without privileges.
 */
static __noinline __u32 refuse_for_user(__u64 address, __u32 uid) {
  const struct task_struct *task = (const void *)address;
  const struct cred *real = 0, *cred = 0;
  unsigned long flags = 0;
  if (bpf_core_read(&flags, sizeof(flags), &task->atomic_flags) || !(flags & HF_NO_NEW_PRIVS))
    return HF_ADOPTION_PRIVILEGES;
  bpf_core_read(&real, sizeof(real), &task->real_cred);
  bpf_core_read(&cred, sizeof(cred), &task->cred);
  if (!real || real != cred || sole_user((unsigned long)real) != uid) return HF_ADOPTION_OTHERS;
  return 0;
}

#endif /* HOLDFAST_BPF_MACHINE_SESSION_USER_BPF_H */
