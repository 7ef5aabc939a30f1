/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Which cgroups are delegated: the extended attribute trusted.delegate = "1", which systemd sets on
 * the root of a subtree that it hands to a container manager or a user's session.
 *
 * Where the kernel keeps the attribute differs too much between kernels to read it at decision
 * time, so its changes are followed where they pass, and user space adds what was there before.
 * Setting it opens a profile with inside = "delegated", so it takes who may move tasks in: a mover
 * of cgroups.join.
 */
#ifndef HOLDFAST_BPF_CGROUP_DELEGATION_H
#define HOLDFAST_BPF_CGROUP_DELEGATION_H

#include "bpf/answer.bpf.h"
#include "bpf/cgroup_maps.bpf.h"
#include "bpf/cgroup_path.bpf.h"

#define CGROUP2_SUPER_MAGIC 0x63677270
#define S_IFMT 0170000
#define S_IFDIR 0040000

/* By cgroup id: 1 delegated, 0 not any more (so that user space does not add it again). */
struct {
  __uint(type, BPF_MAP_TYPE_HASH);
  __uint(max_entries, HF_MAX_BINDINGS);
  __uint(map_flags, BPF_F_NO_PREALLOC);
  __type(key, __u64);
  __type(value, __u8);
} cgroup_delegated SEC(".maps");

struct xattr_call {
  struct path_walk walk;
  struct hf_event event;
};

/* Scratch of a task that sets the attribute; cgroup_mutex is not held there. */
struct {
  __uint(type, BPF_MAP_TYPE_HASH);
  __uint(max_entries, 256);
  __type(key, __u64);
  __type(value, struct xattr_call);
} cgroup_xattr_calls SEC(".maps");

static const struct xattr_call empty_xattr_call;

/* The cgroup whose directory this is; 0: something else. */
static __u64 cgroup_of_dentry(const struct dentry___cg *dentry) {
  struct inode___cg *inode = BPF_CORE_READ(dentry, d_inode);
  struct kernfs_node___cg *kn;
  if (BPF_CORE_READ(inode, i_sb, s_magic) != CGROUP2_SUPER_MAGIC) return 0;
  if ((BPF_CORE_READ(inode, i_mode) & S_IFMT) != S_IFDIR) return 0;
  kn = BPF_CORE_READ(inode, i_private);
  return (__u64)BPF_CORE_READ(kn, priv);
}

static int is_delegate_name(const char *name) {
  static const char kName[] = "trusted.delegate";
  char text[sizeof(kName) + 1] = {};
  bpf_probe_read_kernel_str(text, sizeof(text), name);
  for (__u32 i = 0; i < sizeof(kName); i++)
    if (text[i] != kName[i]) return 0;
  return 1;
}

/* Refused by the deepest profile that needs a mover and does not list this one. */
static __noinline int decide_delegation(const struct hf_tables *t, struct hf_event *e) {
  if (!t || !e) return 0;
  for (__u32 i = 0; i < HF_MAX_NEST; i++) {
    __u16 number = e->request.dst_chain[i];
    const struct hf_profile *p = hf_profile_at(t, number);
    if (number == HF_NO_PROFILE || !p) break;
    if (p->cg_inside != HF_INSIDE_DELEGATED || p->cg_join != HF_MOVERS_LIST) continue;
    if (!hf_mover_listed(t, p->join_set, e->request.subject))
      hf_refuse(&e->verdict, p, number, HF_RULE_CG_INSIDE, HF_REASON_INSIDE);
  }
  hf_choose_log(t, &e->request, &e->verdict);
  return 0;
}

static __noinline int gather_delegation(struct xattr_call *call, __u64 generation, __u64 cgroup) {
  struct hf_request *r;
  if (!call) return -1;
  r = &call->event.request;
  call->event.target = cgroup_id(cgroup);
  if (mover_of(&call->walk, generation, bpf_get_current_task(), &r->subject)) return -1;
  return path_profiles(&call->walk, generation, cgroup, r->dst_chain);
}

/* Returns whether the attribute may change. */
static __always_inline int may_delegate(__u64 cgroup) {
  const struct hf_tables *tables = live_tables();
  __u64 current = bpf_get_current_task();
  struct xattr_call *call;
  int allowed = 0;
  if (bpf_map_update_elem(&cgroup_xattr_calls, &current, &empty_xattr_call, BPF_ANY)) {
    hf_count_undecided(&cgroup_totals.decisions);
    return 0;
  }
  call = bpf_map_lookup_elem(&cgroup_xattr_calls, &current);
  if (call) {
    begin_event(&call->event, tables);
    if (!tables || gather_delegation(call, tables->generation, cgroup))
      hf_refuse_plain(&call->event.verdict, HF_REASON_FACTS_MISSING);
    else
      decide_delegation(tables, &call->event);
    allowed = !hf_enforced_error(&call->event.verdict);
    if (call->event.verdict.action == HF_DENY) report(&call->event);
  }
  bpf_map_delete_elem(&cgroup_xattr_calls, &current);
  return allowed;
}

static __noinline int change_delegation(__u64 cgroup, __u8 delegated) {
  __u64 id = cgroup_id(cgroup);
  if (!may_delegate(cgroup)) return -HF_EPERM;
  /* A full map leaves it undelegated: closed. The set itself can still fail; who may set, may. */
  bpf_map_update_elem(&cgroup_delegated, &id, &delegated, BPF_ANY);
  return 0;
}

SEC("lsm/inode_setxattr")
int BPF_PROG(cgroup_set_xattr, void *idmap, struct dentry___cg *dentry, const char *name, const void *unread,
             unsigned long size, int flags, int ret) {
  __u64 cgroup;
  __u64 value = 0;
  char first = 0;
  if (ret) return ret;
  if (!is_delegate_name(name)) return 0;
  cgroup = cgroup_of_dentry(dentry);
  if (!cgroup) return 0;
  /* 6.1's verifier does not let an argument of type const void * be read from the context. */
  if (bpf_get_func_arg(ctx, 3, &value)) return -HF_EPERM;
  if (size == 1) bpf_probe_read_kernel(&first, sizeof(first), (void *)value);
  return hf_answer(change_delegation(cgroup, first == '1'));
}

SEC("lsm/inode_removexattr")
int BPF_PROG(cgroup_remove_xattr, void *idmap, struct dentry___cg *dentry, const char *name, int ret) {
  __u64 cgroup;
  if (ret) return ret;
  if (!is_delegate_name(name)) return 0;
  cgroup = cgroup_of_dentry(dentry);
  if (!cgroup) return 0;
  return hf_answer(change_delegation(cgroup, 0));
}

/* Ids are never used again; the entry would only take room. */
SEC("tp_btf/cgroup_rmdir")
int BPF_PROG(cgroup_removed, struct cgroup___cg *cgroup, const char *path) {
  __u64 id = cgroup_id((__u64)cgroup);
  bpf_map_delete_elem(&cgroup_delegated, &id);
  bpf_map_delete_elem(&marked_cgroups, &id);
  return 0;
}

#endif /* HOLDFAST_BPF_CGROUP_DELEGATION_H */
