/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Programs that the kernel starts (usermode_helper.bpf.h) and terminals (terminal.bpf.h), for tasks of a profile that keeps them in their cgroup or
 * their namespaces: as root they would have the kernel run outside of both what they cannot run themselves. A profile
 * that does neither is left alone: its tasks can go elsewhere as they are. A member of a session is never left alone. A visitor that is held in the sandbox of a
 * service is one of them.
 */
#ifndef HOLDFAST_BPF_MACHINE_MACHINE_HELPER_BPF_H
#define HOLDFAST_BPF_MACHINE_MACHINE_HELPER_BPF_H

#include "bpf/machine/machine_namespace.bpf.h"
#include "bpf/machine/machine_ruled.bpf.h"
#include "bpf/guard/any_process.bpf.h"
#include "bpf/guard/refusal.bpf.h"
#include "bpf/guard/terminal.bpf.h"
#include "bpf/guard/usermode_helper.bpf.h"

/* Written by user space as namespace_rules is. */
__u32 helper_rules;

/* Read by user space: refusals by HF_GUARD_*. */
__u64 machine_refused[HF_GUARD_COUNT];

static __always_inline int keeps_tasks(const struct hf_profile *p) {
  return p->ns_enter != HF_ENTER_ANY || p->ns_create != HF_NS_ALL || p->cg_leave != HF_MOVERS_ANY;
}

static __always_inline int rule_of_mode(__u8 mode) {
  return mode == HF_MODE_AUDIT ? HF_HELPERS_AUDITED : HF_HELPERS_REFUSED;
}

/* For a task that its own profile leaves alone: is it held as a visitor of a sandbox? */
static __always_inline int rule_for_visitor(const struct hf_tables *tables, struct hf_held *held, __u16 number) {
  const struct hf_profile *owner;
  if (held->flags & HF_REQ_FACTS_MISSING) return HF_HELPERS_REFUSED;
  if (held->set == HF_NO_SET) return HF_HELPERS_FREE;
  if (held->flags & HF_REQ_HELD_MIXED) return tables->any_visitors_hold ? HF_HELPERS_REFUSED : HF_HELPERS_FREE;
  owner = hf_profile_at(tables, held->owner);
  if (!owner) return HF_HELPERS_REFUSED;
  if (held->owner == number || owner->ns_visitors == HF_VISITORS_ALLOW) return HF_HELPERS_FREE;
  return rule_of_mode(owner->mode);
}

/*
 * Under the layer held->next. A global function: verified once, not for each layer. Calls nest eight deep at most on Linux
 * 6.1, so nothing here may be a function of its own.
 */
__noinline int helper_rule_of_layer(struct hf_held *held) {
  const struct hf_profile *profile;
  struct hf_subject subject = {};
  const struct hf_tables *tables;
  if (!held) return HF_HELPERS_REFUSED;
  turn_to(held, held->next, held->first);
  tables = know_subject(&subject, held, bpf_get_current_task());
  if (!tables || subject.unknown) return HF_HELPERS_REFUSED;
  if (any_tracked()) derive_current(held, subject.profile);
  if (has_no_say(held->slot, bpf_get_current_task())) return HF_HELPERS_FREE;
  profile = hf_profile_at(tables, subject.profile);
  if (!profile) return HF_HELPERS_REFUSED;
  /* A member of a session is in a sandbox, whatever the rules are. */
  if (held->slot && subject.set) return rule_of_mode(profile->mode);
  if (subject.profile && keeps_tasks(profile)) return rule_of_mode(profile->mode);
  return any_tracked() ? rule_for_visitor(tables, held, subject.profile) : HF_HELPERS_FREE;
}

/* The strongest of all layers from a slot on: HF_HELPERS_* grow. */
static __always_inline int helper_rule_from(__u32 slot) {
  struct hf_held held = {};
  int strongest = HF_HELPERS_FREE;
  begin_layers(&held, bpf_get_current_task());
#pragma clang loop unroll(disable)
  for (__u32 i = 0; i < HF_LAYERS_DECIDE && held.next != HF_NO_LAYER; i++) {
    int rule = helper_rule_of_layer(&held);
    if (rule > strongest && held.slot >= slot) strongest = rule;
  }
  return held.next == HF_NO_LAYER ? strongest : HF_HELPERS_REFUSED;
}

static __always_inline int helper_rule(void) {
  return helper_rules ? helper_rule_from(HF_LAYER_MACHINE) : HF_HELPERS_FREE;
}

static __noinline int refusal_tell(__u32 what, __u32 detail, __u32 audited) {
  const struct hf_layer *layer = session_number(sessions_of(bpf_get_current_task()), 0);
  struct hf_session_state *session = layer ? session_at(layer->slot) : 0;
  __u64 id = __sync_fetch_and_add(&cgroup_totals.events, 1) + 1;
  if (!audited && session) count(&session->guarded);
  if (!audited && what < HF_GUARD_COUNT) count(&machine_refused[what]);
  if (!may_tell(layer ? layer->slot : 0) ||
      tell_refusal(&cgroup_events, id, what, detail, audited, session ? session->id : 0))
    count(&cgroup_totals.lost);
  return 0;
}

/*
 * A member of a session, or a task that is held in one, does not act on any process of the machine. Services are left
 * alone: what they may do there is what their capabilities say. 1: refused. A global function: verified once.
 */
__noinline int session_refuses_acting(__u32 detail) {
  int rule;
  if (!sessions_live) return 0;
  rule = helper_rule_from(1);
  if (rule == HF_HELPERS_FREE) return 0;
  refusal_tell(HF_GUARD_ANY_PROCESS, detail, rule == HF_HELPERS_AUDITED);
  return rule == HF_HELPERS_REFUSED;
}

/* Is the current task a member whose profile has rules about bpf? They decide then (bpf_commands.bpf.h). */
static __noinline int is_ruled_about_bpf(void) {
  const struct hf_layers *sessions = sessions_of(bpf_get_current_task());
#pragma clang loop unroll(disable)
  for (__u32 i = 0; i < HF_LAYERS_NESTED; i++) {
    const struct hf_layer *layer = session_number(sessions, i);
    const struct hf_profile *profile;
    const struct hf_tables *t;
    if (!layer) break;
    t = tables_of_session(layer->slot);
    profile = t ? hf_profile_at(t, layer->profile) : 0;
    if (profile && profile->bpf_ruled) return 1;
  }
  return 0;
}

SEC("lsm/bpf")
int BPF_PROG(session_bpf, int cmd, union bpf_attr *attr, unsigned int size, hf_maybe_bool kernel) {
  __u32 type = 0;
  if (cmd != BPF_PROG_LOAD || !sessions_live) return 0;
  /* `attr` is the kernel's copy, and prog_type comes first. */
  if (bpf_probe_read_kernel(&type, sizeof(type), attr)) return -HF_EPERM;
  return hf_answer(acts_on_tasks(type) && !is_ruled_about_bpf() && session_refuses_acting(type));
}

SEC("lsm/perf_event_alloc")
int BPF_PROG(session_perf, struct perf_event___pt *event) {
  __u32 type = BPF_CORE_READ(event, attr.type);
  return hf_answer(perf_acts_on_all(type) && session_refuses_acting(type));
}

static __always_inline int may_set_helper(unsigned long magic) {
  return magic == HF_PROC_MAGIC || magic == HF_SYSFS_MAGIC || magic == HF_CGROUP1_MAGIC || magic == HF_BINFMT_MAGIC;
}

/* The same settings as at an open (usermode_helper.bpf.h). */
static __noinline int refuses_setting(__u64 inode) {
  int helper = helper_of_inode((void *)inode);
  return helper && refuses_helper(helper);
}

/* Each write and not each open: a descriptor may be older than the session, or come from another process. */
SEC("lsm/file_permission")
int BPF_PROG(session_write, struct file___pt *file, int mask) {
  struct inode___pt *inode;
  unsigned long magic;
  __u64 address = 0;
  if (!(mask & MAY_WRITE) || !sessions_live) return 0;
  inode = file->f_inode;
  magic = inode->i_sb->s_magic;
  bpf_probe_read_kernel(&address, sizeof(address), &inode); /* a number from here on */
  if (acts_on_all(address, magic) && session_refuses_acting(0)) return hf_answer(1);
  return hf_answer(may_set_helper(magic) && refuses_setting(address));
}

#endif /* HOLDFAST_BPF_MACHINE_MACHINE_HELPER_BPF_H */
