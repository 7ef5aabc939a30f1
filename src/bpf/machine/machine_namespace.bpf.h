/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Namespaces made and entered, and tasks traced, by the profile of the cgroup that the task is in, or of its mark
 * (bpf/namespaces). Nothing is remembered of a task, so a child, a thread, an exec or a move to another cgroup needs no
 * code.
 *
 * The sandbox of a service is the set of namespaces that tasks below the cgroup of its binding have made; of a mark, those
 * that tasks with the mark have made. A namespace can outlive a policy, so its record has the profile's id, which is a
 * digest of the name. Another policy may have no profile of that name. Then no task is held there.
 */
#ifndef HOLDFAST_BPF_MACHINE_MACHINE_NAMESPACE_BPF_H
#define HOLDFAST_BPF_MACHINE_MACHINE_NAMESPACE_BPF_H

#include "bpf/machine/known_profile.bpf.h"
#include "bpf/machine/machine_report.bpf.h"
#include "bpf/machine/session_user.bpf.h"
#include "bpf/namespaces/captures.bpf.h"
#include "bpf/namespaces/decisions.bpf.h"
#include "bpf/namespaces/native.bpf.h"
#include "bpf/namespaces/records.bpf.h"
#include "bpf/namespaces/trace.bpf.h"

/* Written by user space before a policy with such rules becomes live. 0: no task needs the rest. */
__u32 namespace_rules;

struct hf_tracking machine_tracking;

/* The ids of profiles by their numbers, and the opposite. Two generations while one replaces the other. */
struct {
  __uint(type, BPF_MAP_TYPE_HASH);
  __uint(max_entries, 2 * HF_PROFILE_SLOTS);
  __uint(map_flags, BPF_F_NO_PREALLOC);
  __type(key, struct hf_policy_key);
  __type(value, __u64);
} profile_ids SEC(".maps");

struct {
  __uint(type, BPF_MAP_TYPE_HASH);
  __uint(max_entries, 2 * HF_PROFILE_SLOTS);
  __uint(map_flags, BPF_F_NO_PREALLOC);
  __type(key, struct hf_profile_id_key);
  __type(value, __u32);
} profile_numbers SEC(".maps");

static struct hf_tracking *tracking_state(void) { return &machine_tracking; }

static __u32 share_of_tracked(__u32 slot) {
  const struct hf_session_state *session = slot ? session_at(slot) : 0;
  return session && session->user ? session->tracked_share : HF_MACHINE_TRACKED_SHARE;
}

static int rules_namespaces(void) { return namespace_rules; }

static int asked_natively(void) { return kernel_asks_natively(); }

/*
 * Most tasks of most machines: members of no session, in no tracked namespace, in the cgroup of no profile, and without a
 * mark, as far as that takes no walk. A frame of its own, which is gone when the caller asks.
 */
static __noinline int is_nobody_now(void) {
  const struct hf_tables *t;
  __u64 bound;
  if (mark_rules || sessions_of(bpf_get_current_task())) return 0;
  if (machine_tracking.any && may_be_held_now()) return 0;
  if (!machine_profiles) return 1;
  t = live_tables();
  return t && !cgroup_profile_now(t->generation, &bound);
}

/*
 * Of a task in no session, without a mark and in no tracked namespace, the profile of the cgroup alone decides about
 * entering one that is not tracked. Unless it limits that, or all is reported, it is allowed here, and counted. 0: ask.
 */
static __noinline int enters_freely(__u32 inum) {
  struct hf_verdict v = {};
  const struct hf_profile *own;
  const struct hf_tables *t;
  __u64 bound;
  int profile;
  if (mark_rules || sessions_of(bpf_get_current_task())) return 0;
  if (machine_tracking.any && (may_be_tracked(&machine_tracking, inum) || may_be_held_now())) return 0;
  if (!machine_profiles) return 1;
  t = live_tables();
  if (!t || (profile = cgroup_profile_now(t->generation, &bound)) < 0) return 0;
  if (!profile) return 1;
  own = hf_profile_at(t, profile);
  if (!own || (__u32)profile >= t->profile_count || own->ns_enter != HF_ENTER_ANY || own->log == HF_LOG_ALL) return 0;
  hf_name(&v, own, profile, HF_RULE_NS_ENTER);
  tally(t->generation, HF_OP_NAMESPACE_INSTALL, &v);
  return 1;
}

static __noinline __u64 owner_id_of(const struct hf_held *held, __u16 profile) {
  struct hf_policy_key key = {.number = profile};
  __u64 *id;
  if (!held) return 0;
  if (held->slot) return hf_owner_in_session(held->slot, profile);
  key.generation = held->generation;
  id = bpf_map_lookup_elem(&profile_ids, &key);
  return id ? *id : 0;
}

static __noinline __u16 owner_number_of(struct hf_held *held, __u64 owner_id) {
  struct hf_profile_id_key key = {.id = owner_id};
  __u32 *number;
  if (!held) return HF_NO_PROFILE;
  if (owner_id & HF_OWNER_IN_SESSION) {
    __u32 slot = hf_slot_of_owner(owner_id);
    if (slot == held->slot) return owner_id;
    if (may_hold_visitor(slot, held->uid)) note_layer(held, slot);
    return HF_NO_PROFILE;
  }
  if (held->slot) return HF_NO_PROFILE;
  key.generation = held->generation;
  number = bpf_map_lookup_elem(&profile_numbers, &key);
  return number ? *number : HF_NO_PROFILE;
}

/* Fills in the profile that a task has by its cgroup or mark, and the sandbox that this is. */
static __always_inline int know_service(struct hf_subject *subject, const struct hf_held *held, __u64 task) {
  struct hf_known_profile known;
  int failed;
  if (!subject) return -1;
  if (task == bpf_get_current_task())
    failed = find_known_now(&known, held->generation);
  else
    failed = find_known(&known, held->generation, cgroup_of(task));
  if (failed) {
    subject->unknown = 1;
    return -1;
  }
  subject->profile = profile_of(held->generation, task, &known);
  subject->set = known.bound;
  if (subject->profile && !known.chain[0]) subject->set = HF_SET_OF_MARK | owner_id_of(held, subject->profile);
  return 0;
}

/* A machine without profiles has no say, so a member's first session begins. */
static __always_inline void begin_layers(struct hf_held *held, __u64 task) {
  const struct hf_layer *layer = machine_profiles ? 0 : session_number(sessions_of(task), 0);
  held->first = held->next = layer ? layer->slot : HF_LAYER_MACHINE;
  held->uid = user_sessions_live ? sole_user_of(task) : HF_NO_UID;
}

/* Fills in what the task is in the session of the layer, if a member, and notes its other sessions. */
static __always_inline void know_member(struct hf_subject *subject, struct hf_held *held, __u64 task) {
  const struct hf_layers *sessions = sessions_of(task);
  if (!sessions) return;
#pragma clang loop unroll(disable)
  for (__u32 i = 0; i < HF_LAYERS_NESTED; i++) {
    const struct hf_layer *layer = session_number(sessions, i);
    if (!layer) break;
    if (layer->slot != held->slot) {
      note_layer(held, layer->slot);
      continue;
    }
    subject->profile = layer->profile;
    subject->set = layer->set;
  }
}

static void count_undecidable(void) { hf_count_undecided(&cgroup_totals.decisions); }

static __always_inline const struct hf_tables *know_subject(struct hf_subject *subject, struct hf_held *held,
                                                            __u64 task) {
  const struct hf_tables *t;
  if (!subject || !held) return 0;
  subject->concerned = 1;
  know_member(subject, held, task);
  t = held->slot ? tables_of_session(held->slot) : live_tables();
  if (!t) {
    count_undecidable();
    return 0;
  }
  held->generation = t->generation;
  if (held->slot) return t;
  know_service(subject, held, task);
  subject->concerned = subject->profile || subject->unknown || machine_tracking.any;
  return t;
}

static int object_profile(const struct hf_held *held, __u64 task) {
  const struct hf_layers *sessions;
  if (!held->slot) return profile_of_task(held->generation, task);
  sessions = sessions_of(task);
#pragma clang loop unroll(disable)
  for (__u32 i = 0; i < HF_LAYERS_NESTED; i++) {
    const struct hf_layer *layer = session_number(sessions, i);
    if (!layer) break;
    if (layer->slot == held->slot) return layer->profile;
  }
  return HF_NO_PROFILE;
}

/* A global function: verified once, and what it writes is unknown to its callers. */
__noinline int judge_namespace(struct hf_tables *tables, struct hf_request *r, struct hf_verdict *v) {
  if (!tables || !r || !v) return -1;
  hf_decide_some(tables, r, HF_TASK_OPS, v);
  return 0;
}

/* As tell(), without memory for the parties: the stack of the caller is full. */
static __noinline int tell_operation(const struct hf_request *r, const struct hf_verdict *v,
                                     const struct hf_operation *o) {
  __u64 actor;
  if (!r || !v || !o) return 0;
  actor = o->task == bpf_get_current_task() ? 0 : o->task;
  return tell_about(r, v, o->held.generation, o->held.slot, o->target, actor, o->object);
}

static __always_inline int finish_decision(const struct hf_tables *t, struct hf_request *r,
                                           const struct hf_operation *o) {
  struct hf_verdict v = {};
  int refused;
  if (o->held.slot && session_has_no_say(o->held.slot, o->task)) return 0;
  if (judge_namespace((struct hf_tables *)t, r, &v)) return 1;
  refused = hf_enforced_error(&v) != 0;
  if (o->report_mode == HF_REPORT || refused) tell_operation(r, &v, o);
  return refused;
}

/* The child is in no cgroup yet but its parent's. */
SEC("lsm/task_alloc")
int BPF_PROG(machine_clone, struct task_struct *task, unsigned long clone_flags) {
  if (!namespace_rules) return 0;
  return hf_answer(ask_clone(clone_flags));
}

SEC("lsm/ptrace_access_check")
int BPF_PROG(machine_trace, struct task_struct *child, unsigned int mode) {
  if (!namespace_rules || !(mode & HF_PTRACE_MODE_ATTACH)) return 0;
  return hf_answer(ask_trace(bpf_get_current_task(), hf_number(child)));
}

SEC("lsm/ptrace_traceme")
int BPF_PROG(machine_traceme, struct task_struct *parent) {
  if (!namespace_rules) return 0;
  return hf_answer(ask_trace(hf_number(parent), bpf_get_current_task()));
}

/* Also when a fork fails. */
SEC("lsm/task_free")
int BPF_PROG(machine_call_end, struct task_struct *task) {
  __u64 key = hf_number(task);
  bpf_map_delete_elem(&calls, &key);
  return 0;
}

#endif /* HOLDFAST_BPF_MACHINE_MACHINE_NAMESPACE_BPF_H */
