/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Sessions: who is a member of which (core/layers.h), by descent. What is a member is one from its first instruction:
 * lsm/task_alloc runs in the parent before another task can find the child, for every way of forking. If the child cannot be
 * recorded, the fork fails.
 *
 * The first member is made by an iterator that the daemon runs over a task that waits for it.
 */
#ifndef HOLDFAST_BPF_MACHINE_LAYERS_BPF_H
#define HOLDFAST_BPF_MACHINE_LAYERS_BPF_H

#include "bpf/lib/number.bpf.h"
#include "bpf/lib/vmlinux.h"

#include "bpf/machine/cgroup_maps.bpf.h"
#include "bpf/lib/session_tasks.bpf.h"
#include "core/layers.h"

/* Written by user space before a policy with profiles becomes live for the machine. */
__u32 machine_profiles;

/* Written by user space: sessions that have a slot, and those of ordinary users. 0: no task needs the rest. */
__u32 sessions_live;
__u32 user_sessions_live;

/* By slot; equal policies share a map. Sizes rather than types, as for cgroup_tables. */
struct {
  __uint(type, BPF_MAP_TYPE_ARRAY_OF_MAPS);
  __uint(max_entries, HF_LAYER_SLOTS);
  __type(key, __u32);
  __array(values, struct tables_map);
} session_tables SEC(".maps");

/* By slot. */
struct {
  __uint(type, BPF_MAP_TYPE_ARRAY);
  __uint(max_entries, HF_LAYER_SLOTS);
  __uint(map_flags, BPF_F_MMAPABLE);
  __type(key, __u32);
  __type(value, struct hf_session_state);
} session_states SEC(".maps");

/* By hf_session_state.user. The first counts for all users. */
struct {
  __uint(type, BPF_MAP_TYPE_ARRAY);
  __uint(max_entries, HF_USER_SLOTS);
  __uint(map_flags, BPF_F_MMAPABLE);
  __type(key, __u32);
  __type(value, struct hf_session_user);
} session_users SEC(".maps");

static __always_inline struct hf_session_user *session_user_at(__u32 user) {
  return bpf_map_lookup_elem(&session_users, &user);
}

static __always_inline struct hf_session_state *session_at(__u32 slot) {
  return bpf_map_lookup_elem(&session_states, &slot);
}

static __always_inline const struct hf_tables *tables_of_session(__u32 slot) {
  __u32 zero = 0;
  void *inner = bpf_map_lookup_elem(&session_tables, &slot);
  if (!inner) return 0;
  return bpf_map_lookup_elem(inner, &zero);
}

static __always_inline const struct hf_tables *tables_of_layer(__u32 slot) {
  return slot ? tables_of_session(slot) : live_tables();
}

/* Null: it is a member of none. */
static __always_inline struct hf_layers *sessions_of(__u64 task) {
  if (!sessions_live) return 0;
  return bpf_map_lookup_elem(&session_tasks, &task);
}

/* The membership number `index` of a task, from 0. Null: there are not that many. */
static __always_inline const struct hf_layer *session_number(const struct hf_layers *sessions, __u32 index) {
  HF_OPAQUE(index);
  if (!sessions || index >= HF_LAYERS_NESTED || index >= sessions->count) return 0;
  return &sessions->layer[index];
}

/* ---- containers ------------------------------------------------------------------------------------------------------ */

#define HF_USER_NS_DEPTH 33 /* create_user_ns() */

/* A user's container holds that user's tasks alone as visitors: those with that uid, or in a user namespace of the user. */
static __always_inline int is_visitor_of(const struct task_struct *task, __u32 owner) {
  const struct cred *cred = 0;
  const struct user_namespace *user_ns = 0;
  __u32 euid = 0;
  if (!owner) return 1;
  bpf_core_read(&cred, sizeof(cred), &task->real_cred);
  if (!cred) return 1;
  bpf_core_read(&euid, sizeof(euid), &cred->euid);
  if (euid == owner) return 1;
  if (!euid) return 0; /* root has come from outside */
  bpf_core_read(&user_ns, sizeof(user_ns), &cred->user_ns);
#pragma clang loop unroll(disable)
  for (__u32 i = 0; i < HF_USER_NS_DEPTH; i++) {
    __u32 maker = 0;
    if (!user_ns) break;
    bpf_core_read(&maker, sizeof(maker), &user_ns->owner);
    if (maker == owner) return 1;
    bpf_core_read(&user_ns, sizeof(user_ns), &user_ns->parent);
  }
  return 0;
}

/*
 * Is the session in this slot a container's that has no say about the task? It has none about its runtime (HF_SETUP_*). It
 * has none about visitors before its program is executed, since other hooks of the runtime come and go, nor after its last
 * member has ended, when what is left is cleared up.
 */
static __always_inline int has_no_say(__u32 slot, __u64 task) {
  const struct hf_session_state *state = slot ? session_at(slot) : 0;
  const struct hf_layers *sessions;
  if (!state || !state->asked) return 0;
  sessions = bpf_map_lookup_elem(&session_tasks, &task);
#pragma clang loop unroll(disable)
  for (__u32 i = 0; i < HF_LAYERS_NESTED; i++) {
    const struct hf_layer *layer = session_number(sessions, i);
    if (!layer) break;
    if (layer->slot == slot) return layer->setup && state->setup;
  }
  return state->setup || !*(volatile const __u64 *)&state->members || !is_visitor_of((const void *)task, state->owner);
}

/* The same in a frame of its own. */
__noinline int session_has_no_say(__u32 slot, __u64 task) { return has_no_say(slot, task); }

#define HF_CLONE_THREAD 0x00010000ull

/* ---- birth and death ----------------------------------------------------------------------------------------------- */

/* `by`: 1 or -1. 1: that is one member too many. */
static __always_inline int count_of_user(__u32 user, __u64 by) {
  struct hf_session_user *counted = session_user_at(user);
  if (!counted) return 0;
  return __sync_fetch_and_add(&counted->members, by) >= counted->members_most;
}

/* 1: the owner, or all ordinary users, have one member too many. */
static __noinline int count_in_session(__u32 slot, __u64 by) {
  struct hf_session_state *state = session_at(slot);
  int many = 0;
  if (!state) return 0;
  __sync_fetch_and_add(&state->members, by);
  if (!state->user) return 0;
  if (count_of_user(state->user, by)) many = 1;
  if (count_of_user(0, by)) many = 1;
  if (many && by == 1) __sync_fetch_and_add(&state->forks_refused, 1);
  return many;
}

/* `by`: 1 or -1. 1: that is one member too many, of a user. */
static __always_inline int count_member(const struct hf_layers *sessions, __u64 by) {
  int many = 0;
#pragma clang loop unroll(disable)
  for (__u32 i = 0; i < HF_LAYERS_NESTED; i++) {
    const struct hf_layer *layer = session_number(sessions, i);
    if (!layer) break;
    if (count_in_session(layer->slot, by)) many = 1;
  }
  return many;
}

__noinline int leave_sessions(__u64 task) {
  struct hf_layers *sessions = bpf_map_lookup_elem(&session_tasks, &task);
  struct hf_layers were;
  if (!sessions) return 0;
  were = *sessions;
  if (!bpf_map_delete_elem(&session_tasks, &task)) count_member(&were, -1ull);
  return 0;
}

/* What a process forks is not the process that executes the container's program. */
static __always_inline void set_up_other(struct hf_layers *sessions) {
#pragma clang loop unroll(full)
  for (__u32 i = 0; i < HF_LAYERS_NESTED; i++)
    if (sessions->layer[i].setup == HF_SETUP_FIRST) sessions->layer[i].setup = HF_SETUP_OTHER;
}

__noinline int join_parents_sessions(__u64 parent, __u64 child, __u64 clone_flags) {
  struct hf_layers *sessions = sessions_of(parent);
  struct hf_layers copy; /* out of the map: it may be the source of the update */
  if (!sessions) return 0;
  copy = *sessions;
  if (!(clone_flags & HF_CLONE_THREAD)) set_up_other(&copy);
  if (!count_member(&copy, 1) && !bpf_map_update_elem(&session_tasks, &child, &copy, BPF_ANY)) return 0;
  count_member(&copy, -1ull);
  return -HF_EAGAIN;
}

SEC("lsm/task_alloc")
int BPF_PROG(session_fork, struct task_struct *task, __u64 clone_flags) {
  if (join_parents_sessions(bpf_get_current_task(), hf_number(task), clone_flags)) return -HF_EAGAIN;
  return 0;
}

/* Also when a fork fails. A task that ends has left before (machine_task_exit), but for one that was never run. */
SEC("lsm/task_free")
int BPF_PROG(session_task_end, struct task_struct *task) { return leave_sessions(hf_number(task)); }

#endif /* HOLDFAST_BPF_MACHINE_LAYERS_BPF_H */
