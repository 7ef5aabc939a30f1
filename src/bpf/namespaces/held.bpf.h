/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * In which tracked namespaces is a task now? Derived at decision time, never remembered.
 *
 * A task sits in the eight namespaces of its nsproxy, in its active pid namespace and all above it, and
 * in its user namespace and all above it. The active pid namespace is not pid_ns_for_children: setns and
 * unshare change only the latter. Both user namespaces of a task are its real credentials': a temporary
 * override of ->cred does not move it.
 */
#ifndef HOLDFAST_BPF_NAMESPACES_HELD_BPF_H
#define HOLDFAST_BPF_NAMESPACES_HELD_BPF_H

#include "bpf/lib/number.bpf.h"
#include "bpf/namespaces/tracked.bpf.h"
#include "core/layers.h"

#define HF_NS_DEPTH 33 /* pid and user namespaces nest 32 deep (MAX_PID_NS_LEVEL, create_user_ns) */

/*
 * Of one layer (core/layers.h): `slot`, `next` and `generation` are set by know_subject(), or by the caller. Layers have
 * their turn by slots, from `first` up and then from 0 up to it.
 */
struct hf_held {
  __u64 generation; /* of the layer's policy */
  __u64 set;
  __u64 owner_id; /* as in the record */
  __u16 slot;     /* the layer, or the one of several policies */
  __u16 next;     /* the slot whose turn is next, as far as seen; HF_NO_LAYER: none */
  __u16 first;
  __u16 pad0;
  __u32 flags; /* HF_REQ_HELD_MIXED, HF_REQ_HELD_ANCHORED, HF_REQ_FACTS_MISSING */
  __u16 types;
  __u16 owner; /* its number under that policy */
  __u32 uid;   /* whose sessions hold the task that acts, as a visitor; HF_NO_UID: no ordinary user's */
  __u32 pad1;
};

/* Turns to a layer: nothing is known of it yet. `held->uid` stays. */
static __always_inline void turn_to(struct hf_held *held, __u32 slot, __u32 first) {
  __u32 uid = held->uid;
  __builtin_memset(held, 0, sizeof(*held));
  held->uid = uid;
  held->first = first;
  held->slot = slot;
  held->next = HF_NO_LAYER;
}

static __always_inline __u32 turn_of(const struct hf_held *held, __u32 slot) {
  return (slot - held->first) & (HF_LAYER_SLOTS - 1);
}

/* Another layer has a say. */
static __always_inline void note_layer(struct hf_held *held, __u32 slot) {
  __u32 turn = turn_of(held, slot);
  if (turn <= turn_of(held, held->slot)) return;
  if (held->next == HF_NO_LAYER || turn < turn_of(held, held->next)) held->next = slot;
}

/* The number of a record's owner under the layer; HF_NO_PROFILE: it has no such profile. Notes other layers. Of the
 * object. */
static __u16 owner_number_of(struct hf_held *held, __u64 owner_id);

/* The sandbox that the namespace belongs to under the layer. */
struct hf_belongs {
  __u64 set; /* HF_NO_SET: none */
  __u64 owner_id;
  __u16 owner;
  __u16 pad0;
  __u32 pad1;
};

static __always_inline void find_owner(struct hf_belongs *to, struct hf_held *held, const struct hf_tracked *record) {
#pragma clang loop unroll(disable)
  for (__u32 i = 0; i < HF_TRACKED_OWNERS; i++) {
    __u32 at = i;
    __u64 owner_id;
    __u16 owner;
    HF_OPAQUE(at);
    if (at >= HF_TRACKED_OWNERS) break;
    owner_id = record->of[at].owner;
    if (!owner_id) break;
    owner = owner_number_of(held, owner_id);
    if (owner == HF_NO_PROFILE) continue;
    to->set = record->of[at].set;
    to->owner_id = owner_id;
    to->owner = owner;
  }
}

/* What held_in() is asked about: the subject's profile, and whether creation cannot leave the namespace. */
#define HF_ANCHORS (1u << 16)

/*
 * The task sits in the namespace at `address`. `about`: the task's profile, and HF_ANCHORS. A global function: the
 * verifier checks it once, not once for each namespace.
 */
__noinline int held_in(struct hf_held *held, __u64 address, __u32 inum, __u64 ns_id, __u32 about) {
  const struct hf_tracking *tracking = tracking_state();
  struct hf_belongs belongs = {};
  const struct hf_tracked *record;
  if (!held) return 0;
  if (!tracking || !inum) {
    held->flags |= HF_REQ_FACTS_MISSING;
    return 0;
  }
  if (!may_be_tracked(tracking, inum)) return 0;
  record = tracked_find(inum, address, ns_id);
  if (!record) return 0;
  find_owner(&belongs, held, record);
  if (belongs.set == HF_NO_SET) return 0;
  if (held->set != HF_NO_SET && held->set != belongs.set) {
    held->flags |= HF_REQ_HELD_MIXED;
    /* Of several sets, report one whose owner is somebody else: that one may hold it. */
    if (held->owner != (__u16)about) return 0;
    held->types = 0;
    held->flags &= ~HF_REQ_HELD_ANCHORED;
  }
  held->set = belongs.set;
  held->owner = belongs.owner;
  held->owner_id = belongs.owner_id;
  held->types |= record->type;
  if (about & HF_ANCHORS) held->flags |= HF_REQ_HELD_ANCHORED;
  return 0;
}

/* The same for a namespace at an address that the verifier knows nothing of. */
static __always_inline int read_held(struct hf_held *held, __u64 address, __u32 about) {
  const struct ns_common *ns = (const void *)address;
  __u64 ns_id = 0;
  __u32 inum = 0;
  bpf_core_read(&inum, sizeof(inum), &ns->inum);
  if (bpf_core_field_exists(ns->ns_id)) bpf_core_read(&ns_id, sizeof(ns_id), &ns->ns_id);
  return held_in(held, address, inum, ns_id, about);
}

static __noinline int held_at(struct hf_held *held, __u64 address, __u32 about) {
  return read_held(held, address, about);
}

static __always_inline struct pid_namespace *active_pid_ns(const struct task_struct *task) {
  struct pid_namespace *ns = 0;
  struct pid *pid = 0;
  __u32 level = 0;
  bpf_core_read(&pid, sizeof(pid), &task->thread_pid);
  if (!pid || bpf_core_read(&level, sizeof(level), &pid->level) || level >= HF_NS_DEPTH) return 0;
  bpf_probe_read_kernel(&ns, sizeof(ns), (void *)&pid->numbers[0].ns + level * bpf_core_type_size(struct upid));
  return ns;
}

/* A walk from a pid or user namespace to its ancestors, which creation cannot leave. */
struct hf_ancestors {
  struct hf_held *held;
  __u64 ns; /* 0: the walk is over */
  __u16 subject;
  __u16 pad0;
  __u32 pad1;
};

static long held_by_pid(__u32 depth, struct hf_ancestors *walk) {
  const struct pid_namespace *ns = (const void *)walk->ns;
  if (!ns) return 1;
  read_held(walk->held, (unsigned long)&ns->ns, walk->subject | HF_ANCHORS);
  bpf_core_read(&walk->ns, sizeof(walk->ns), &ns->parent); /* 0 where that fails */
  return 0;
}

static long held_by_user(__u32 depth, struct hf_ancestors *walk) {
  const struct user_namespace *ns = (const void *)walk->ns;
  if (!ns) return 1;
  read_held(walk->held, (unsigned long)&ns->ns, walk->subject | HF_ANCHORS);
  bpf_core_read(&walk->ns, sizeof(walk->ns), &ns->parent); /* 0 where that fails */
  return 0;
}

static __always_inline void held_by_pids(struct hf_held *held, const struct task_struct *task, __u16 subject) {
  struct hf_ancestors walk = {.held = held, .ns = (unsigned long)active_pid_ns(task), .subject = subject};
  if (!walk.ns) held->flags |= HF_REQ_FACTS_MISSING;
  bpf_loop(HF_NS_DEPTH, held_by_pid, &walk, 0);
}

static __always_inline void held_by_users(struct hf_held *held, const struct task_struct *task, __u16 subject) {
  struct hf_ancestors walk = {.held = held, .subject = subject};
  const struct user_namespace *ns = 0;
  const struct cred *cred = 0;
  bpf_core_read(&cred, sizeof(cred), &task->real_cred);
  if (cred) bpf_core_read(&ns, sizeof(ns), &cred->user_ns);
  if (!ns) held->flags |= HF_REQ_FACTS_MISSING;
  walk.ns = (unsigned long)ns;
  bpf_loop(HF_NS_DEPTH, held_by_user, &walk, 0);
}

#define HF_HELD_BY(slot) \
  do { \
    typeof(proxy->slot) ns_ = 0; \
    bpf_core_read(&ns_, sizeof(ns_), &proxy->slot); \
    if (ns_) \
      held_at(held, (unsigned long)&ns_->ns, subject); \
    else \
      held->flags |= HF_REQ_FACTS_MISSING; \
  } while (0)

/*
 * Fills *held for the task at `task_address`, which has to be current or unable to run. `subject` is its
 * profile. A global function: the verifier checks it once, not in the state of each caller.
 */
__noinline int derive_held(struct hf_held *held, __u64 task_address, __u16 subject) {
  const struct task_struct *task = (const void *)task_address;
  struct nsproxy *proxy = 0;
  if (!held) return 0;
  bpf_core_read(&proxy, sizeof(proxy), &task->nsproxy);
  if (!proxy) {
    held->flags |= HF_REQ_FACTS_MISSING;
    return 0;
  }
  HF_HELD_BY(mnt_ns);
  HF_HELD_BY(uts_ns);
  HF_HELD_BY(ipc_ns);
  HF_HELD_BY(net_ns);
  HF_HELD_BY(cgroup_ns);
  HF_HELD_BY(pid_ns_for_children);
  HF_HELD_BY(time_ns);
  HF_HELD_BY(time_ns_for_children);
  held_by_pids(held, task, subject);
  held_by_users(held, task, subject);
  return 0;
}

/* ---- the same for current, whose pointers the verifier knows: loads instead of calls ---------------- */

/* A number that could not be read may be any. */
static __always_inline int inum_may_be_tracked(const struct hf_tracking *tracking, __u32 inum) {
  return !inum || may_be_tracked(tracking, inum);
}

/* As held_at(). `ns` is never NULL; a load through a bad pointer gives 0, which is taken for a fact that is missing. */
#define HF_LOOK(ns) \
  do { \
    const struct ns_common *look_ = (ns); \
    __u32 inum_ = look_->inum; \
    if (inum_may_be_tracked(tracking, inum_)) { \
      __u64 ns_id_ = bpf_core_field_exists(look_->ns_id) ? look_->ns_id : 0; \
      held_in(held, hf_number(look_), inum_, ns_id_, subject); \
    } \
  } while (0)

/* The empty asm keeps clang from merging the test into arithmetic on the pointer. */
#define HF_LOOK_AT(slot) \
  do { \
    typeof(proxy->slot) ns_ = proxy->slot; \
    if (ns_) { \
      asm volatile(""); \
      HF_LOOK(&ns_->ns); \
    } else { \
      held->flags |= HF_REQ_FACTS_MISSING; \
    } \
  } while (0)

__noinline int derive_current(struct hf_held *held, __u16 subject) {
  const struct task_struct *task = bpf_get_current_task_btf();
  const struct nsproxy *proxy = task->nsproxy;
  const struct hf_tracking *tracking = tracking_state();
  const struct cred *cred = task->real_cred;
  const struct pid *pid = task->thread_pid;
  const struct user_namespace *user;
  if (!held) return 0;
  if (!tracking || !proxy || !pid || !cred || !(user = cred->user_ns)) {
    held->flags |= HF_REQ_FACTS_MISSING;
    return 0;
  }
  asm volatile("");
  HF_LOOK_AT(mnt_ns);
  HF_LOOK_AT(uts_ns);
  HF_LOOK_AT(ipc_ns);
  HF_LOOK_AT(net_ns);
  HF_LOOK_AT(cgroup_ns);
  HF_LOOK_AT(pid_ns_for_children);
  HF_LOOK_AT(time_ns);
  HF_LOOK_AT(time_ns_for_children);
  /* The first pid and user namespaces have level 0. They were not made, so they are not tracked. */
  if (pid->level) held_by_pids(held, task, subject);
  if (user->level) held_by_users(held, task, subject);
  return 0;
}

#define HF_MAY_BE_IN(slot) (!proxy->slot || inum_may_be_tracked(tracking, proxy->slot->ns.inum))

/* 0: the current task is in no tracked namespace. 1: it has to be derived. */
static __always_inline int may_be_held_now(void) {
  const struct task_struct *task = bpf_get_current_task_btf();
  const struct nsproxy *proxy = task->nsproxy;
  const struct hf_tracking *tracking = tracking_state();
  const struct cred *cred = task->real_cred;
  const struct pid *pid = task->thread_pid;
  const struct user_namespace *user;
  if (!tracking || !proxy || !pid || !cred || !(user = cred->user_ns)) return 1;
  if (pid->level || user->level) return 1;
  if (HF_MAY_BE_IN(mnt_ns) || HF_MAY_BE_IN(uts_ns) || HF_MAY_BE_IN(ipc_ns) || HF_MAY_BE_IN(net_ns)) return 1;
  if (HF_MAY_BE_IN(cgroup_ns) || HF_MAY_BE_IN(pid_ns_for_children)) return 1;
  return HF_MAY_BE_IN(time_ns) || HF_MAY_BE_IN(time_ns_for_children);
}

#endif /* HOLDFAST_BPF_NAMESPACES_HELD_BPF_H */
