/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Entering and making namespaces: setns, unshare, clone, and the mount calls that make a mount namespace.
 *
 * All of them but clone ask capable(CAP_SYS_ADMIN) before anything is changed, and BPF runs after the capability
 * module, so what is decided here is only what the kernel would have let pass. The errno of a refusal is
 * always EPERM: the kernel's callers turn any other into it.
 *
 * One operation asks more than once (setns of most types twice, unshare once more for a cgroup
 * namespace). Every time is decided afresh; only the first is counted and reported.
 */
#ifndef HOLDFAST_BPF_NAMESPACES_DECISIONS_BPF_H
#define HOLDFAST_BPF_NAMESPACES_DECISIONS_BPF_H

#include "bpf/lib/answer.bpf.h"
#include "bpf/lib/namespace_types.bpf.h"
#include "bpf/lib/syscall.bpf.h"
#include "bpf/namespaces/subject.bpf.h"

/* Has this call been spoken of at an earlier point? What a call that failed in between has left may silence the next. */
static __noinline __u32 hf_voice_of(__u64 task, __u32 op, __u64 number, __u32 points) {
  struct hf_call *call = hf_call_of(task);
  struct hf_call fresh = {.syscall = op, .arguments = number, .points_left = points - 1};
  if (call && call->syscall == op && call->arguments == number && call->points_left) {
    call->points_left--;
    return HF_SILENT;
  }
  if (!call) {
    bpf_map_update_elem(&calls, &task, &fresh, BPF_ANY);
    return HF_SAY;
  }
  call->syscall = op;
  call->arguments = number;
  call->points_left = points - 1;
  return HF_SAY;
}

/* What the call says, read once for all layers: from the capture of an install, or by a number for the call. */
static __always_inline void hf_know_call(struct hf_operation *o) {
  struct hf_call *call;
  if (o->begun) return;
  o->begun = 1;
  call = o->op == HF_OP_NAMESPACE_INSTALL ? hf_call_of(o->task) : 0;
  if (call && call->address) {
    o->flags |= HF_REQ_TARGET_KNOWN;
    o->ns_types = call->type;
    o->target = call->inum;
    if (call->checks_done) o->voice = HF_SILENT;
    call->checks_done++;
  } else if (o->call) {
    o->voice = hf_voice_of(o->task, o->op, o->call, o->points);
  }
}

/* The record of the namespace that is entered. Null: there is none, so nobody tracks it. */
static __always_inline const struct hf_tracked *hf_find_entered(const struct hf_operation *o) {
  const struct hf_tracking *tracking = hf_tracking();
  const struct ns_common *ns = (const void *)o->entered;
  const struct hf_call *call;
  __u64 ns_id = 0;
  if (!o->entered) {
    call = hf_call_of(o->task);
    return call && call->address ? hf_tracked_find(call->inum, call->address, call->ns_id) : 0;
  }
  if (tracking && !hf_may_be_tracked(tracking, o->target)) return 0;
  if (bpf_core_field_exists(ns->ns_id)) bpf_core_read(&ns_id, sizeof(ns_id), &ns->ns_id);
  return hf_tracked_find(o->target, o->entered, ns_id);
}

/* Whose the namespace is that is entered. A frame of its own. */
static __noinline int hf_know_target(struct hf_request *r, struct hf_operation *o) {
  struct hf_belongs belongs = {};
  const struct hf_tracked *record;
  if (!r || !o) return 0;
  record = hf_find_entered(o);
  if (!record) return 0;
  hf_find_owner(&belongs, &o->held, record);
  r->target_owner = belongs.owner;
  r->target_set = belongs.set;
  return 0;
}

/* A capture serves one install: what a later one without captures finds must be nothing. */
static __always_inline void hf_use_up_capture(__u64 task, int refused) {
  struct hf_call *call = hf_call_of(task);
  if (call && (refused || call->checks_done >= 2 || call->type == HF_NS_USER)) call->address = 0;
}

/* Neither ruled, nor in anything tracked, nor on its way there: no rule is about this. */
static __always_inline int hf_unconcerned(const struct hf_request *r) {
  if (r->subject != HF_NO_PROFILE || r->held_set || r->target_set || (r->flags & HF_REQ_FACTS_MISSING)) return 0;
  return r->op != HF_OP_NAMESPACE_INSTALL || (r->flags & HF_REQ_TARGET_KNOWN);
}

/* From the facts to the answer: 0, or not 0 to refuse. A frame of its own: all that walks has been done before. */
static __noinline int hf_decide_operation(const struct hf_tables *t, struct hf_operation *o, int object) {
  struct hf_request r = {};
  if (!t || !o) return 1;
  hf_know_call(o);
  r.op = o->op;
  r.via = o->via;
  r.flags = o->flags | o->layer_flags | o->held.flags;
  r.ns_types = o->ns_types;
  r.subject = o->subject.profile;
  r.subject_set = o->subject.set;
  r.object = object;
  r.held_set = o->held.set;
  r.held_types = o->held.types;
  r.held_owner = o->held.owner;
  if (o->flags & HF_REQ_TARGET_KNOWN) hf_know_target(&r, o);
  return hf_unconcerned(&r) ? 0 : hf_conclude(t, &r, o);
}

static __noinline int hf_know_held(struct hf_operation *o) {
  if (!o) return 0;
  if (o->task == bpf_get_current_task())
    hf_derive_current(&o->held, o->subject.profile);
  else
    hf_derive_held(&o->held, o->task, o->subject.profile);
  return 0;
}

/* Is the traced task held in the same set? */
static __noinline int hf_know_object_held(struct hf_operation *o, __u16 profile) {
  struct hf_held held;
  if (!o) return 0;
  held.uid = o->held.uid;
  hf_turn_to(&held, o->held.slot, o->held.first);
  held.generation = o->held.generation;
  hf_derive_held(&held, o->object, profile);
  if (held.set != HF_NO_SET && held.set == o->held.set && !(held.flags & ~HF_REQ_HELD_ANCHORED))
    o->layer_flags |= HF_REQ_OBJECT_HELD_SAME;
  return 0;
}

/* Would the namespace that is made belong to a sandbox that has no room for its record? */
static __noinline int hf_lacks_room(const struct hf_tables *t, const struct hf_operation *o) {
  const struct hf_profile *own;
  __u64 set;
  if (!t || !o || o->op != HF_OP_NAMESPACE_ALLOC) return 0;
  own = hf_profile_at(t, o->subject.profile);
  set = own && own->ns_track && o->subject.profile != HF_NO_PROFILE ? o->subject.set : o->held.set;
  return set != HF_NO_SET && !hf_has_room(set, hf_tracked_share(o->held.slot));
}

/* A frame of its own, which is gone when the operation is decided. */
static __noinline const struct hf_tables *hf_know_subject_apart(struct hf_subject *subject, struct hf_held *held,
                                                                __u64 task) {
  return hf_know_subject(subject, held, task);
}

/*
 * Gathers the facts of the layer o->held.next, and decides. A task that no rule is about is asked nothing, and needs
 * nothing: whatever others do, it is not refused. A global function: verified once, not for each layer.
 */
__noinline int hf_ask_layer(struct hf_operation *o) {
  const struct hf_tables *t;
  int object = 0;
  if (!o) return 1;
  o->layer_flags = 0;
  __builtin_memset(&o->subject, 0, sizeof(o->subject));
  hf_turn_to(&o->held, o->held.next, o->held.first);
  t = hf_know_subject_apart(&o->subject, &o->held, o->task);
  if (!o->subject.concerned) return 0;
  if (!t) return 1;
  if (o->object) object = hf_object_profile(&o->held, o->object);
  if (o->subject.unknown || object < 0) o->layer_flags |= HF_REQ_FACTS_MISSING;
  if (object < 0) object = 0;
  if (hf_any_tracked()) {
    hf_know_held(o);
    if (o->object) hf_know_object_held(o, object);
    if (hf_lacks_room(t, o)) o->layer_flags |= HF_REQ_FACTS_MISSING;
  }
  return hf_decide_operation(t, o, object);
}

/* Each layer that has a say decides, and each may refuse. */
static __always_inline int hf_ask(struct hf_operation *o) {
  int refused = 0;
  hf_begin_layers(&o->held, o->task);
#pragma clang loop unroll(disable)
  for (__u32 i = 0; i < HF_LAYERS_DECIDE; i++) {
    if (hf_ask_layer(o)) refused = 1;
    if (o->held.next == HF_NO_LAYER) break;
  }
  if (o->held.next != HF_NO_LAYER) {
    hf_count_undecidable();
    refused = 1;
  }
  if ((o->flags & HF_REQ_TARGET_KNOWN) && !o->entered) hf_use_up_capture(o->task, refused);
  return refused;
}

/* These fill in the operation, and return whether there is anything to ask. */

static __always_inline int hf_begin_creation(struct hf_operation *o, __u16 via, __u32 types, __u32 voice) {
  o->op = HF_OP_NAMESPACE_ALLOC;
  o->via = via;
  o->ns_types = types;
  o->voice = voice;
  return types != 0;
}

/* A user namespace is asked about once, every other type twice; which one it is, only the caller may say. */
static __always_inline int hf_begin_setns(struct hf_operation *o, __u64 fd, __u32 flags) {
  o->op = HF_OP_NAMESPACE_INSTALL;
  o->via = HF_VIA_SETNS;
  o->ns_types = hf_types_of_flags(flags);
  o->points = 2;
  if (flags && !(flags & HF_CLONE_NEWUSER)) o->call = fd << 32 | flags;
  return 1;
}

/* Does the kernel ask the object's programs about namespaces themselves (native.bpf.h)? Of the object. */
static int hf_asked_natively(void);

/*
 * The points of one unshare see the same flags: userns_create, then capable once or, for a cgroup namespace, twice. Where
 * the kernel asks natively, userns_create, and then each of the other types when it is made.
 */
static __always_inline int hf_begin_unshare(struct hf_operation *o, __u64 flags) {
  __u32 types = hf_types_of_unshare(flags);
  if (hf_asked_natively()) {
    o->points = __builtin_popcount(types);
  } else {
    if (flags & HF_CLONE_NEWUSER) o->points++;
    if (flags & HF_CLONE_NEWCGROUP) o->points++;
    if (types & ~HF_NS_USER) o->points++;
  }
  if (o->points >= 2) o->call = 1ull << 63 | (__u32)flags;
  return hf_begin_creation(o, HF_VIA_UNSHARE, types, HF_SAY);
}

/* In the parent, before namespaces are copied and before anybody can find the child. */
static __always_inline int hf_ask_clone(unsigned long flags) {
  struct hf_operation o = {};
  o.task = bpf_get_current_task();
  return hf_begin_creation(&o, HF_VIA_CLONE, hf_types_of_flags(flags), HF_SAY) && hf_ask(&o);
}

/* Is any task ruled at all? Spares all calls the rest. Of the object. */
static int hf_rules_namespaces(void);

/* May it become a visitor by the install that it is in? By the capture: without one, yes. */
static __always_inline int hf_may_enter_tracked(void) {
  const struct hf_tracking *tracking = hf_tracking();
  const struct hf_call *call;
  if (!tracking || !tracking->any) return !tracking;
  call = hf_call_of(bpf_get_current_task());
  return !call || !call->address || hf_may_be_tracked(tracking, call->inum);
}

SEC("lsm/capable")
int BPF_PROG(hf_capable, const struct cred *cred, struct user_namespace *ns, int cap, unsigned int opts) {
  struct hf_operation o = {};
  struct hf_call_args call = {};
  int asked = 0;
  if (cap != HF_CAP_SYS_ADMIN || !hf_rules_namespaces()) return 0;
  hf_read_call(&call);
  if (call.syscall == HF_SYSCALL_OTHER) return 0;
  if (hf_is_nobody_now() && (call.syscall != HF_SYSCALL_SETNS || !hf_may_enter_tracked())) return 0;
  if (call.syscall == HF_SYSCALL_SETNS)
    asked = hf_begin_setns(&o, call.arg[0], call.arg[1]);
  else if (call.syscall == HF_SYSCALL_UNSHARE)
    asked = hf_begin_unshare(&o, call.arg[0]);
  else if (hf_mounts_namespace(&call))
    asked = hf_begin_creation(&o, HF_VIA_MOUNT, HF_NS_MNT, HF_SAY);
  if (!asked) return 0;
  o.task = bpf_get_current_task();
  return hf_answer(hf_ask(&o));
}

/*
 * For clone and clone3 task_alloc decides again with the exact flags, and it is the one to speak when
 * they are allowed. clone3 has its flags in memory: here only this type is certain.
 */
SEC("lsm/userns_create")
int BPF_PROG(hf_userns_create, const struct cred *cred) {
  struct hf_operation o = {};
  struct hf_call_args call = {};
  __u32 types = HF_NS_USER;
  if (!hf_rules_namespaces()) return 0;
  hf_read_call(&call);
  if (call.syscall == HF_SYSCALL_UNSHARE) {
    hf_begin_unshare(&o, call.arg[0]);
  } else {
    if (call.syscall == HF_SYSCALL_CLONE) types = hf_types_of_flags((__u32)call.arg[0] & ~HF_CLONE_CSIGNAL);
    hf_begin_creation(&o, HF_VIA_CLONE, types, HF_SILENT);
  }
  o.task = bpf_get_current_task();
  return hf_answer(hf_ask(&o));
}

#endif /* HOLDFAST_BPF_NAMESPACES_DECISIONS_BPF_H */
