/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Programs that the kernel starts (usermode_helper.bpf.h), for tasks of a profile that keeps them in their cgroup or
 * their namespaces: as root they would have the kernel run outside of both what they cannot run themselves. A profile
 * that does neither is left alone: its tasks can go elsewhere as they are.
 */
#ifndef HOLDFAST_BPF_MACHINE_MACHINE_HELPER_BPF_H
#define HOLDFAST_BPF_MACHINE_MACHINE_HELPER_BPF_H

#include "bpf/machine/machine_ruled.bpf.h"
#include "bpf/guard/refusal.bpf.h"
#include "bpf/guard/usermode_helper.bpf.h"

/* Written by user space as namespace_rules is. */
__u32 helper_rules;

/* Read by user space. */
struct {
  __u64 refused;
} helper_totals;

static __always_inline int keeps_tasks(const struct hf_profile *p) {
  return p->ns_enter != HF_ENTER_ANY || p->ns_create != HF_NS_ALL || p->cg_leave != HF_MOVERS_ANY;
}

static __noinline int hf_helper_rule(void) {
  const struct hf_tables *tables;
  const struct hf_profile *profile;
  int number;
  if (!helper_rules) return HF_HELPERS_FREE;
  tables = live_tables();
  if (!tables) return HF_HELPERS_REFUSED;
  number = profile_now(tables->generation, bpf_get_current_task());
  if (number < 0) return HF_HELPERS_REFUSED;
  if (!number) return HF_HELPERS_FREE;
  profile = hf_profile_at(tables, number);
  if (!profile) return HF_HELPERS_REFUSED;
  if (!keeps_tasks(profile)) return HF_HELPERS_FREE;
  return profile->mode == HF_MODE_AUDIT ? HF_HELPERS_AUDITED : HF_HELPERS_REFUSED;
}

static __noinline int hf_helper_tell(__u32 helper, __u32 audited) {
  __u64 id = __sync_fetch_and_add(&cgroup_totals.events, 1) + 1;
  if (!audited) count(&helper_totals.refused);
  if (hf_tell_refusal(&cgroup_events, id, HF_GUARD_HELPER, helper, audited)) count(&cgroup_totals.lost);
  return 0;
}

#endif /* HOLDFAST_BPF_MACHINE_MACHINE_HELPER_BPF_H */
