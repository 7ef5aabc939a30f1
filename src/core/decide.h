/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The decision: a pure function from tables and request to a verdict.
 *
 * It is compiled for BPF and for user space. It uses no globals, no clock and no helpers, and allocates
 * nothing. Loops are bounded and every index is checked. So the verifier accepts it, and a corrupt request
 * can only lead to a refusal.
 *
 * How a verdict is made. It starts as "allow, no rule forbids it". Then each rule that applies calls
 * hf_refuse(), hf_lock() or hf_name(). The strongest call decides:
 *
 *     refusal by an enforcing profile > refusal by an auditing one > lock > limit > allowed by a rule > default
 *
 * Among equal ones the first decides. An auditing profile must never hide the refusal of an enforcing one,
 * so no rule returns early after a refusal.
 *
 * When a task is held. A task is held while it is in a tracked namespace of a set that locks it. It is
 * locked as a visitor of a profile with visitors "lock" or "deny", or as a member of a profile with
 * enter = "lock". The backend reads the task's namespaces for each decision and stores nothing.
 */
#ifndef HOLDFAST_CORE_DECIDE_H
#define HOLDFAST_CORE_DECIDE_H

#include "core/inline.h"
#include "core/socket_rule.h"

/* EPERM and EAGAIN, since core has no libc. They are the same on all supported architectures. */
#define HF_EPERM 1
#define HF_EAGAIN 11

/*
 * Calls step(i, context) for each i below count, until it returns 1. For BPF it is a call of bpf_loop() (decide.bpf.h):
 * the verifier checks the step once.
 */
#ifndef HF_EACH
#define HF_EACH(count, step, context) \
  for (__u32 hf_i_ = 0; hf_i_ < (count); hf_i_++) \
    if (step(hf_i_, context)) break
#endif

HF_INLINE const struct hf_profile *hf_profile_at(const struct hf_tables *t, __u32 index) {
  HF_OPAQUE(index);
  if (index >= HF_PROFILE_SLOTS) return 0;
  return &t->profiles[index];
}

/* ---- combining rules -------------------------------------------------------------------------------- */

HF_INLINE void hf_set(struct hf_verdict *v, const struct hf_profile *p, __u16 profile, __u32 kind, __u8 action,
                      __u16 reason) {
  v->action = action;
  v->mode = p->mode;
  v->reason = reason;
  v->profile = profile;
  v->rule = p->rules[kind];
  v->error = action == HF_DENY ? HF_EPERM : 0;
  v->set = HF_NO_SET;
}

HF_INLINE void hf_refuse(struct hf_verdict *v, const struct hf_profile *p, __u16 profile, __u32 kind, __u16 reason) {
  if (v->action == HF_DENY && (v->mode == HF_MODE_ENFORCE || p->mode == HF_MODE_AUDIT)) return;
  hf_set(v, p, profile, kind, HF_DENY, reason);
}

HF_INLINE void hf_lock(struct hf_verdict *v, const struct hf_profile *p, __u16 profile, __u32 kind, __u64 set) {
  if (v->action == HF_DENY) return;
  if (v->action == HF_LOCK && (v->mode == HF_MODE_ENFORCE || p->mode == HF_MODE_AUDIT)) return;
  hf_set(v, p, profile, kind, HF_LOCK, HF_REASON_LOCK_ON_ENTRY);
  v->set = set;
}

/* Records the rule that allows the operation, if the profile has one and no stronger rule has decided. */
HF_INLINE void hf_name(struct hf_verdict *v, const struct hf_profile *p, __u16 profile, __u32 kind) {
  if (v->action != HF_ALLOW || v->reason != HF_REASON_DEFAULT || !p->rules[kind]) return;
  hf_set(v, p, profile, kind, HF_ALLOW, HF_REASON_RULE);
}

/* Refuses without a rule. */
HF_INLINE void hf_refuse_unruled(struct hf_verdict *v, __u8 mode, __u16 reason) {
  v->action = HF_DENY;
  v->mode = mode;
  v->reason = reason;
  v->profile = HF_NO_PROFILE;
  v->rule = HF_RULE_DEFAULT;
  v->error = HF_EPERM;
  v->set = HF_NO_SET;
  v->log = 1;
}

/* Refuses because of bad facts or tables. This is always enforced. */
HF_INLINE void hf_refuse_plain(struct hf_verdict *v, __u16 reason) { hf_refuse_unruled(v, HF_MODE_ENFORCE, reason); }

/* ---- namespaces ------------------------------------------------------------------------------------- */

/* Is the subject held as a visitor, by the owner of the set that it is in? */
HF_INLINE int hf_held_as_visitor(const struct hf_tables *t, const struct hf_request *r,
                                 const struct hf_profile *owner) {
  if (r->held_set == HF_NO_SET) return 0;
  /* It is in more than one set, and the request has the owner of one only. So any profile may hold it. */
  if (r->flags & HF_REQ_HELD_MIXED) return t->any_visitors_hold;
  return r->subject != r->held_owner && owner->ns_visitors != HF_VISITORS_ALLOW;
}

/*
 * If the task is in more than one set, the backend names the owner of one of them, which may not be the one
 * that holds the task. So the refusal is enforced if any profile that holds visitors enforces.
 */
HF_INLINE void hf_refuse_visitor(const struct hf_tables *t, const struct hf_request *r, const struct hf_profile *owner,
                                 struct hf_verdict *v, __u16 reason) {
  __u8 mode = owner->mode;
  if (r->flags & HF_REQ_HELD_MIXED) mode = t->any_visitors_hold == HF_SOME_ENFORCE ? HF_MODE_ENFORCE : HF_MODE_AUDIT;
  if (v->action == HF_DENY && (v->mode == HF_MODE_ENFORCE || mode == HF_MODE_AUDIT)) return;
  hf_set(v, owner, r->held_owner, HF_RULE_NS_VISITORS, HF_DENY, reason);
  v->mode = mode;
}

HF_INLINE int hf_held_as_member(const struct hf_request *r, const struct hf_profile *own) {
  return r->held_set != HF_NO_SET && own->ns_enter == HF_ENTER_LOCK;
}

/*
 * Does the task stay held after it has created these namespaces? It does while one of its tracked
 * namespaces remains (the anchor). A new pid or user namespace is below the active one, so those two
 * always remain.
 */
HF_INLINE int hf_keeps_anchor(const struct hf_request *r) {
  __u32 replaced = r->ns_types & ~(HF_NS_PID | HF_NS_USER);
  if (r->flags & HF_REQ_HELD_ANCHORED) return 1;
  return (r->held_types & ~replaced) != 0;
}

HF_INLINE void hf_decide_create(const struct hf_tables *t, const struct hf_request *r, const struct hf_profile *own,
                                const struct hf_profile *owner, struct hf_verdict *v) {
  if (r->ns_types & ~own->ns_create) hf_refuse(v, own, r->subject, HF_RULE_NS_CREATE, HF_REASON_CREATE);
  if (!hf_keeps_anchor(r)) {
    if (hf_held_as_visitor(t, r, owner)) hf_refuse_visitor(t, r, owner, v, HF_REASON_ANCHOR);
    if (hf_held_as_member(r, own)) hf_refuse(v, own, r->subject, HF_RULE_NS_ENTER, HF_REASON_ANCHOR);
  }
  hf_name(v, own, r->subject, HF_RULE_NS_CREATE);
}

/* Applies namespaces.enter of the subject's own profile. */
HF_INLINE void hf_enter_as_member(const struct hf_request *r, const struct hf_profile *own, int known,
                                  struct hf_verdict *v) {
  int own_set = known && r->target_set != HF_NO_SET && r->target_owner == r->subject &&
                (r->subject_set == HF_NO_SET || r->target_set == r->subject_set);
  if (own->ns_enter == HF_ENTER_NONE) hf_refuse(v, own, r->subject, HF_RULE_NS_ENTER, HF_REASON_ENTER_NONE);
  if (own->ns_enter == HF_ENTER_OWN && !own_set)
    hf_refuse(v, own, r->subject, HF_RULE_NS_ENTER, known ? HF_REASON_NOT_OWN : HF_REASON_TARGET_UNKNOWN);
  if (own->ns_enter == HF_ENTER_LOCK && known && r->target_set != HF_NO_SET)
    hf_lock(v, own, r->subject, HF_RULE_NS_ENTER, r->target_set);
}

/* Applies namespaces.visitors of the profile that tracks the target. */
HF_INLINE void hf_enter_as_visitor(const struct hf_tables *t, const struct hf_request *r, int known,
                                   struct hf_verdict *v) {
  const struct hf_profile *host = hf_profile_at(t, r->target_owner);
  if (!known) {
    /* Some profile may refuse visitors, and the target may be a namespace of that profile. */
    __u8 mode = t->any_visitors_deny == HF_SOME_ENFORCE ? HF_MODE_ENFORCE : HF_MODE_AUDIT;
    int refused = v->action == HF_DENY && (v->mode == HF_MODE_ENFORCE || mode == HF_MODE_AUDIT);
    if (t->any_visitors_deny && !refused) hf_refuse_unruled(v, mode, HF_REASON_TARGET_UNKNOWN);
    return;
  }
  if (!host || r->target_set == HF_NO_SET || r->target_owner == r->subject) return;
  if (host->ns_visitors == HF_VISITORS_DENY)
    hf_refuse(v, host, r->target_owner, HF_RULE_NS_VISITORS, HF_REASON_VISITORS_DENY);
  if (host->ns_visitors == HF_VISITORS_LOCK) hf_lock(v, host, r->target_owner, HF_RULE_NS_VISITORS, r->target_set);
}

HF_INLINE void hf_decide_enter(const struct hf_tables *t, const struct hf_request *r, const struct hf_profile *own,
                               const struct hf_profile *owner, struct hf_verdict *v) {
  int known = (r->flags & HF_REQ_TARGET_KNOWN) != 0;
  int in_set = known && r->target_set == r->held_set && !(r->flags & HF_REQ_HELD_MIXED);
  if (!in_set) {
    if (hf_held_as_visitor(t, r, owner)) hf_refuse_visitor(t, r, owner, v, HF_REASON_LOCKED);
    if (hf_held_as_member(r, own)) hf_refuse(v, own, r->subject, HF_RULE_NS_ENTER, HF_REASON_LOCKED);
  }
  hf_enter_as_member(r, own, known, v);
  hf_enter_as_visitor(t, r, known, v);
  hf_name(v, own, r->subject, HF_RULE_NS_ENTER);
}

/* A confined task may trace only tasks with the same confinement, because a tracer controls the tracee. */
HF_INLINE void hf_decide_trace(const struct hf_tables *t, const struct hf_request *r, const struct hf_profile *own,
                               const struct hf_profile *owner, struct hf_verdict *v) {
  if (!(r->flags & HF_REQ_OBJECT_HELD_SAME)) {
    if (hf_held_as_visitor(t, r, owner)) hf_refuse_visitor(t, r, owner, v, HF_REASON_TRACE_OUTSIDE);
    if (hf_held_as_member(r, own)) hf_refuse(v, own, r->subject, HF_RULE_NS_ENTER, HF_REASON_TRACE_OUTSIDE);
  }
  if (r->object != r->subject) {
    if (own->ns_enter != HF_ENTER_ANY) hf_refuse(v, own, r->subject, HF_RULE_NS_ENTER, HF_REASON_TRACE_OUTSIDE);
    if (own->ns_create != HF_NS_ALL) hf_refuse(v, own, r->subject, HF_RULE_NS_CREATE, HF_REASON_TRACE_OUTSIDE);
  }
}

/* ---- cgroups ------------------------------------------------------------------------------------------ */

/* Is the profile in the chain, before the 0 that ends it? Without branches, which the verifier would follow all. */
HF_INLINE int hf_in_chain(const __u16 *chain, __u16 profile) {
  __u64 ended = 0, found = 0;
#pragma GCC unroll 8
  for (__u32 i = 0; i < HF_MAX_NEST; i++) {
    ended |= ((__u64)chain[i] - 1) >> 63;
    found |= ~ended & (((__u64)(chain[i] ^ profile) - 1) >> 63);
  }
  return found & 1;
}

HF_INLINE int hf_mover_listed(const struct hf_tables *t, __u16 set, __u16 mover) {
  if (set >= HF_MAX_MOVER_SETS || set >= t->mover_set_count) return 0;
  if (mover == HF_NO_PROFILE || mover >= HF_PROFILE_SLOTS) return 0;
  return (t->mover_sets[set].bits[mover >> 6] >> (mover & 63u)) & 1u;
}

/* May the subject make the move, by the list of this kind of the profile? */
HF_INLINE int hf_mover_allowed(const struct hf_tables *t, const struct hf_request *r, const struct hf_profile *p,
                               __u32 kind) {
  if (kind == HF_RULE_CG_LEAVE) return p->cg_leave != HF_MOVERS_LIST || hf_mover_listed(t, p->leave_set, r->subject);
  if (kind == HF_RULE_CG_JOIN) return p->cg_join != HF_MOVERS_LIST || hf_mover_listed(t, p->join_set, r->subject);
  return p->cg_inside == HF_INSIDE_ANY || hf_mover_listed(t, p->inside_set, r->subject) ||
         (p->cg_inside == HF_INSIDE_DELEGATED && (r->flags & HF_REQ_DELEGATED));
}

HF_STEP void hf_check_mover(const struct hf_tables *t, const struct hf_request *r, __u16 profile, __u32 kind,
                            struct hf_verdict *v) {
  const struct hf_profile *p = hf_profile_at(t, profile);
  if (!p || profile >= t->profile_count) return hf_refuse_plain(v, HF_REASON_BAD_REQUEST);
  if (!hf_mover_allowed(t, r, p, kind))
    hf_refuse(v, p, profile, kind,
              kind == HF_RULE_CG_LEAVE  ? HF_REASON_LEAVE
              : kind == HF_RULE_CG_JOIN ? HF_REASON_JOIN
                                        : HF_REASON_INSIDE);
  hf_name(v, p, profile, kind);
}

struct hf_attach {
  const struct hf_tables *t;
  const struct hf_request *r;
  struct hf_verdict *v;
  __u32 inside; /* 1: the deepest profile of both has been found */
  __u32 pad0;
};

/* Steps of HF_EACH: profile number i of the source, and of the destination. */
static long hf_attach_source(__u32 i, struct hf_attach *a) {
  const struct hf_request *r = a->r;
  __u16 p;
  HF_OPAQUE(i);
  if (i >= HF_MAX_NEST) return 1;
  p = r->src_chain[i];
  if (p == HF_NO_PROFILE) return 1;
  if (!hf_in_chain(r->dst_chain, p)) {
    hf_check_mover(a->t, r, p, HF_RULE_CG_LEAVE, a->v);
  } else if (!a->inside) {
    a->inside = 1;
    hf_check_mover(a->t, r, p, HF_RULE_CG_INSIDE, a->v);
  }
  return 0;
}

static long hf_attach_destination(__u32 i, struct hf_attach *a) {
  const struct hf_request *r = a->r;
  __u16 p;
  HF_OPAQUE(i);
  if (i >= HF_MAX_NEST) return 1;
  p = r->dst_chain[i];
  if (p == HF_NO_PROFILE) return 1;
  if (!hf_in_chain(r->src_chain, p)) hf_check_mover(a->t, r, p, HF_RULE_CG_JOIN, a->v);
  return 0;
}

/*
 * A move leaves each profile of the source that the destination does not have, and joins each profile of the
 * destination that the source does not have. It is inside the deepest profile that both have. A task may
 * have its profile by `holdfast run` or by a mark, and not by its cgroup. If neither cgroup has that
 * profile, the move counts as leaving it.
 */
HF_INLINE void hf_decide_attach(const struct hf_tables *t, const struct hf_request *r, struct hf_verdict *v) {
  struct hf_attach a = {.t = t, .r = r, .v = v, .inside = 0, .pad0 = 0};
  if (r->flags & HF_REQ_SAME_CGROUP) {
    v->reason = HF_REASON_SAME_CGROUP;
    return;
  }
  HF_EACH(HF_MAX_NEST, hf_attach_source, &a);
  if (r->object != HF_NO_PROFILE && !hf_in_chain(r->src_chain, r->object) && !hf_in_chain(r->dst_chain, r->object))
    hf_check_mover(t, r, r->object, HF_RULE_CG_LEAVE, v);
  HF_EACH(HF_MAX_NEST, hf_attach_destination, &a);
}

/* ---- sockets -------------------------------------------------------------------------------------------- */

/* The first rule that matches decides. If none matches, the operation is allowed. */
HF_INLINE void hf_decide_socket(const struct hf_tables *t, const struct hf_request *r, const struct hf_profile *own,
                                struct hf_verdict *v) {
  const struct hf_socket_rule *rule;
  __u32 at;
  if (!own->socket_count) return;
  if (!r->sock_op || !r->sock_family) return hf_refuse_plain(v, HF_REASON_BAD_REQUEST);
  if (own->socket_count > HF_MAX_PROFILE_SOCKET_RULES || own->socket_first > HF_MAX_SOCKET_RULES - own->socket_count)
    return hf_refuse_plain(v, HF_REASON_BAD_REQUEST);
  at = HF_FIRST_SOCKET_RULE(t, r, own);
  HF_OPAQUE(at);
  if (at >= HF_MAX_SOCKET_RULES) return;
  rule = &t->socket_rules[at];
  v->mode = own->mode;
  v->profile = r->subject;
  v->rule = rule->rule;
  v->reason = HF_REASON_RULE;
  if (rule->verdict == HF_SOCK_DENY) {
    v->action = HF_DENY;
    v->reason = HF_REASON_SOCKET_DENY;
    v->error = HF_EPERM;
  } else if (rule->verdict == HF_SOCK_RATE) {
    v->action = HF_LIMIT;
    v->reason = HF_REASON_SOCKET_RATE;
    v->error = HF_EAGAIN; /* used if the bucket is empty */
  }
}

/* ---- labels --------------------------------------------------------------------------------------------- */

/* label.set applies to setting, replacing and removing a label. */
HF_INLINE void hf_decide_label(const struct hf_request *r, const struct hf_profile *own, struct hf_verdict *v) {
  if (!own->label_ruled) return;
  v->mode = own->mode;
  v->profile = r->subject;
  v->rule = own->label_rule;
  v->reason = HF_REASON_RULE;
  if (r->flags & HF_REQ_LABEL_LISTED) return;
  v->action = HF_DENY;
  v->reason = HF_REASON_LABEL_SET;
  v->error = HF_EPERM;
}

/* ---- marks ---------------------------------------------------------------------------------------------- */

/*
 * A task that changes a mark controls which tasks get its profile. The same is true for a task that writes to a
 * marked executable or controls a task that executes one. `object` is the profile of the mark.
 */
HF_INLINE void hf_decide_mark(const struct hf_tables *t, const struct hf_request *r, struct hf_verdict *v) {
  const struct hf_profile *p = hf_profile_at(t, r->object);
  if (!p || r->object == HF_NO_PROFILE) return hf_refuse_plain(v, HF_REASON_BAD_REQUEST);
  if (p->mark_by == HF_MOVERS_LIST && !hf_mover_listed(t, p->mark_set, r->subject))
    hf_refuse(v, p, r->object, HF_RULE_MARK, HF_REASON_MARK);
  hf_name(v, p, r->object, HF_RULE_MARK);
}

/* ---- bpf -------------------------------------------------------------------------------------------------- */

HF_INLINE int hf_bit(__u64 mask, __u32 bit) { return bit < 64 && ((mask >> (bit & 63u)) & 1u); }

/*
 * Most commands act on a descriptor and need no token. They cannot be delegated, and are not refused if they are
 * not listed. Commands that are newer than this file have to be listed.
 */
HF_INLINE int hf_needs_delegation(__u32 command) {
  return command >= HF_BPF_KNOWN_COMMANDS || hf_bit(HF_BPF_TOKEN_COMMANDS, command);
}

/* The part of a request that decides about BPF. Small: callers in BPF have no stack for a whole request. */
struct hf_bpf_question {
  __u32 flags;   /* HF_REQ_* */
  __u32 value;   /* as hf_request.bpf_value */
  __u16 via;     /* HF_VIA_BPF_* */
  __u16 subject; /* profile of the acting task */
};

/*
 * Returns the rule kind of the list that decides, and whether it lists the value. BPF_TOKEN_CREATE counts as listed
 * if any command is.
 */
HF_INLINE __u32 hf_bpf_list(const struct hf_bpf_question *q, const struct hf_profile *own, int *listed) {
  __u32 value = q->value;
  switch (q->via) {
    case HF_VIA_BPF_COMMAND:
      *listed = hf_bit(own->bpf_commands, value) || (value == HF_BPF_TOKEN_CREATE && own->bpf_commands) ||
                (value != HF_BPF_TOKEN_CREATE && !hf_needs_delegation(value));
      return HF_RULE_BPF_COMMANDS;
    case HF_VIA_BPF_MAP:
      *listed = hf_bit(own->bpf_maps, value);
      return HF_RULE_BPF_MAPS;
    case HF_VIA_BPF_PROGRAM:
      *listed = hf_bit(own->bpf_programs, value);
      return HF_RULE_BPF_PROGRAMS;
    case HF_VIA_BPF_ATTACH:
      *listed = value < 64 ? hf_bit(own->bpf_attachments[0], value) : hf_bit(own->bpf_attachments[1], value - 64u);
      return HF_RULE_BPF_ATTACHMENTS;
    default:
      return HF_RULE_KINDS;
  }
}

HF_INLINE void hf_decide_bpf(const struct hf_bpf_question *q, const struct hf_profile *own, struct hf_verdict *v) {
  int listed = 0;
  __u32 kind, quota;
  if (!own->bpf_ruled) return;
  kind = hf_bpf_list(q, own, &listed);
  if (kind >= HF_RULE_KINDS) return hf_refuse_plain(v, HF_REASON_BAD_REQUEST);
  if (!listed) hf_refuse(v, own, q->subject, kind, HF_REASON_BPF_DELEGATE);
  if (own->bpf_attach_to == HF_ATTACH_OWN_CGROUP) {
    if (q->flags & HF_REQ_BPF_FOREIGN) hf_refuse(v, own, q->subject, HF_RULE_BPF_ATTACH_TO, HF_REASON_BPF_FOREIGN);
    if ((q->flags & HF_REQ_BPF_OUTSIDE) || (q->via == HF_VIA_BPF_MAP && q->value == HF_BPF_MAP_STRUCT_OPS))
      hf_refuse(v, own, q->subject, HF_RULE_BPF_ATTACH_TO, HF_REASON_BPF_ATTACH_TO);
  }
  quota = q->via == HF_VIA_BPF_MAP ? HF_QUOTA_MAPS : HF_QUOTA_PROGRAMS;
  if ((q->flags & HF_REQ_OVER_QUOTA) && (own->bpf_quotas & quota))
    hf_refuse(v, own, q->subject, quota == HF_QUOTA_MAPS ? HF_RULE_BPF_QUOTA_MAPS : HF_RULE_BPF_QUOTA_PROGRAMS,
              HF_REASON_BPF_QUOTA);
  if ((q->flags & HF_REQ_OVER_MEMORY) && (own->bpf_quotas & HF_QUOTA_MEMORY))
    hf_refuse(v, own, q->subject, HF_RULE_BPF_QUOTA_MEMORY, HF_REASON_BPF_QUOTA);
  if (q->via == HF_VIA_BPF_COMMAND && !hf_bit(own->bpf_commands, q->value)) return; /* no list has it */
  hf_name(v, own, q->subject, kind);
}

/* ---- the function --------------------------------------------------------------------------------------------- */

HF_INLINE void hf_choose_log(const struct hf_tables *t, __u16 subject, struct hf_verdict *v) {
  const struct hf_profile *p = hf_profile_at(t, v->profile ? v->profile : subject);
  if (!p || v->log) return;
  if (p->log == HF_LOG_NONE) return;
  v->log = p->log == HF_LOG_ALL || v->action == HF_DENY || v->action == HF_LOCK;
}

/* What a run decides by the acting task, its sandbox and the target: `ops` of one BPF function. */
#define HF_TASK_OPS (1u << HF_OP_NAMESPACE_ALLOC | 1u << HF_OP_NAMESPACE_INSTALL | 1u << HF_OP_TRACE)

/*
 * Decides. `ops` is a constant that has bit n set for each operation n that the caller supports. Requests for other
 * operations are refused, and the compiler removes their code, so the verifier has far less to check. Writes all of
 * *v. Never fails: a request that cannot be decided is refused. Pure; any thread. In BPF `t` is a map value.
 */
HF_INLINE void hf_decide_some(const struct hf_tables *t, const struct hf_request *r, __u32 ops, struct hf_verdict *v) {
  const struct hf_profile *own = hf_profile_at(t, r->subject);
  const struct hf_profile *owner = hf_profile_at(t, r->held_owner);
  __builtin_memset(v, 0, sizeof(*v));
  if (r->flags & HF_REQ_FACTS_MISSING) return hf_refuse_plain(v, HF_REASON_FACTS_MISSING);
  if (t->magic != HF_TABLES_MAGIC || t->version != HF_ABI_VERSION) return hf_refuse_plain(v, HF_REASON_BAD_REQUEST);
  if (!(ops & (1u << (r->op & 31u)))) return hf_refuse_plain(v, HF_REASON_BAD_REQUEST);
  if (!own || !owner || r->subject >= t->profile_count || r->held_owner >= t->profile_count ||
      r->object >= t->profile_count || r->target_owner >= t->profile_count)
    return hf_refuse_plain(v, HF_REASON_BAD_REQUEST);
  switch (r->op) {
    case HF_OP_NAMESPACE_ALLOC:
      if (ops & (1u << HF_OP_NAMESPACE_ALLOC)) hf_decide_create(t, r, own, owner, v);
      break;
    case HF_OP_NAMESPACE_INSTALL:
      if (ops & (1u << HF_OP_NAMESPACE_INSTALL)) hf_decide_enter(t, r, own, owner, v);
      break;
    case HF_OP_CGROUP_ATTACH:
      if (ops & (1u << HF_OP_CGROUP_ATTACH)) hf_decide_attach(t, r, v);
      break;
    case HF_OP_SOCKET:
      if (ops & (1u << HF_OP_SOCKET)) hf_decide_socket(t, r, own, v);
      break;
    case HF_OP_BPF:
      if (ops & (1u << HF_OP_BPF)) {
        const struct hf_bpf_question q = {r->flags, r->bpf_value, r->via, r->subject};
        hf_decide_bpf(&q, own, v);
      }
      break;
    case HF_OP_LABEL:
      if (ops & (1u << HF_OP_LABEL)) hf_decide_label(r, own, v);
      break;
    case HF_OP_MARK:
      if (ops & (1u << HF_OP_MARK)) hf_decide_mark(t, r, v);
      break;
    case HF_OP_TRACE:
      if (ops & (1u << HF_OP_TRACE)) hf_decide_trace(t, r, own, owner, v);
      break;
    default:
      return hf_refuse_plain(v, HF_REASON_BAD_REQUEST);
  }
  hf_choose_log(t, r->subject, v);
}

/* As hf_decide_some() for HF_OP_BPF. */
HF_INLINE void hf_decide_bpf_question(const struct hf_tables *t, const struct hf_bpf_question *q,
                                      struct hf_verdict *v) {
  const struct hf_profile *own = hf_profile_at(t, q->subject);
  __builtin_memset(v, 0, sizeof(*v));
  if (q->flags & HF_REQ_FACTS_MISSING) return hf_refuse_plain(v, HF_REASON_FACTS_MISSING);
  if (t->magic != HF_TABLES_MAGIC || t->version != HF_ABI_VERSION || !own || q->subject >= t->profile_count)
    return hf_refuse_plain(v, HF_REASON_BAD_REQUEST);
  hf_decide_bpf(q, own, v);
  hf_choose_log(t, q->subject, v);
}

/* Decides with all operations. */
HF_INLINE void hf_decide(const struct hf_tables *t, const struct hf_request *r, struct hf_verdict *v) {
  hf_decide_some(t, r, ~0u, v);
}

/*
 * Completes a limit with the result of its bucket. With a token HF_LIMIT becomes HF_ALLOW. Without one it stays, and
 * is reported unless the profile logs nothing.
 */
HF_INLINE void hf_settle(const struct hf_tables *t, struct hf_verdict *v, int had_token) {
  const struct hf_profile *p = hf_profile_at(t, v->profile);
  if (v->action != HF_LIMIT) return;
  if (had_token) {
    v->action = HF_ALLOW;
    v->error = 0;
  } else if (p && p->log != HF_LOG_NONE) {
    v->log = 1;
  }
}

/* The result of the operation: 0, or the negative errno of an enforced refusal. Settle a limit first. */
HF_INLINE int hf_enforced_error(const struct hf_verdict *v) {
  if ((v->action != HF_DENY && v->action != HF_LIMIT) || v->mode != HF_MODE_ENFORCE) return 0;
  return -v->error;
}

#endif /* HOLDFAST_CORE_DECIDE_H */
