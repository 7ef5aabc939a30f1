/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Programs that the kernel starts (usermode_helper.bpf.h) and terminals (terminal.bpf.h), for tasks of a profile that keeps them in their cgroup or
 * their namespaces: as root they would have the kernel run outside of both what they cannot run themselves. A profile
 * that does neither is left alone: its tasks can go elsewhere as they are. A visitor that is held in the sandbox of a
 * service is one of them.
 */
#ifndef HOLDFAST_BPF_MACHINE_MACHINE_HELPER_BPF_H
#define HOLDFAST_BPF_MACHINE_MACHINE_HELPER_BPF_H

#include "bpf/machine/machine_namespace.bpf.h"
#include "bpf/machine/machine_ruled.bpf.h"
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
static __noinline int rule_for_visitor(const struct hf_tables *tables, __u16 number) {
  const struct hf_profile *owner;
  struct hf_held held = {};
  if (!tables) return HF_HELPERS_REFUSED;
  held.generation = tables->generation;
  hf_derive_current(&held, number);
  if (held.flags & HF_REQ_FACTS_MISSING) return HF_HELPERS_REFUSED;
  if (held.set == HF_NO_SET) return HF_HELPERS_FREE;
  if (held.flags & HF_REQ_HELD_MIXED) return tables->any_visitors_hold ? HF_HELPERS_REFUSED : HF_HELPERS_FREE;
  owner = hf_profile_at(tables, held.owner);
  if (!owner) return HF_HELPERS_REFUSED;
  if (held.owner == number || owner->ns_visitors == HF_VISITORS_ALLOW) return HF_HELPERS_FREE;
  return rule_of_mode(owner->mode);
}

static __noinline int hf_helper_rule(void) {
  const struct hf_tables *tables;
  const struct hf_profile *profile;
  int number;
  if (!helper_rules) return HF_HELPERS_FREE;
  tables = live_tables();
  if (!tables) return HF_HELPERS_REFUSED;
  number = profile_now(tables->generation);
  if (number < 0) return HF_HELPERS_REFUSED;
  profile = hf_profile_at(tables, number);
  if (!profile) return HF_HELPERS_REFUSED;
  if (number && keeps_tasks(profile)) return rule_of_mode(profile->mode);
  return hf_any_tracked() ? rule_for_visitor(tables, number) : HF_HELPERS_FREE;
}

static __noinline int hf_refusal_tell(__u32 what, __u32 detail, __u32 audited) {
  __u64 id = __sync_fetch_and_add(&cgroup_totals.events, 1) + 1;
  if (!audited && what < HF_GUARD_COUNT) count(&machine_refused[what]);
  if (hf_tell_refusal(&cgroup_events, id, what, detail, audited)) count(&cgroup_totals.lost);
  return 0;
}

#endif /* HOLDFAST_BPF_MACHINE_MACHINE_HELPER_BPF_H */
