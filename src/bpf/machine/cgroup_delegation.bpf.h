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
#ifndef HOLDFAST_BPF_MACHINE_CGROUP_DELEGATION_BPF_H
#define HOLDFAST_BPF_MACHINE_CGROUP_DELEGATION_BPF_H

#include "bpf/lib/answer.bpf.h"
#include "bpf/machine/cgroup_maps.bpf.h"
#include "bpf/machine/known_profile.bpf.h"
#include "bpf/machine/machine_report.bpf.h"

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

/* A step of HF_EACH: refused by the deepest profile that needs a mover and does not list this one. */
static long judge_delegation(__u32 i, struct hf_attach *a) {
  const struct hf_profile *p;
  __u16 number;
  HF_OPAQUE(i);
  if (i >= HF_MAX_NEST) return 1;
  number = a->r->dst_chain[i];
  p = hf_profile_at(a->t, number);
  if (number == HF_NO_PROFILE || !p) return 1;
  if (p->cg_inside != HF_INSIDE_DELEGATED || p->cg_join != HF_MOVERS_LIST) return 0;
  if (!hf_mover_listed(a->t, p->join_set, a->r->subject))
    hf_refuse(a->v, p, number, HF_RULE_CG_INSIDE, HF_REASON_INSIDE);
  return 0;
}

/* These three have frames of their own: the stack has no room for all they need at once. */
static __noinline int judge_chain(const struct hf_tables *tables, const struct hf_request *r, struct hf_verdict *v) {
  struct hf_attach a = {.t = tables, .r = r, .v = v};
  if (!tables || !r || !v) return 0;
  HF_EACH(HF_MAX_NEST, judge_delegation, &a);
  hf_choose_log(tables, r->subject, v);
  return 0;
}

static __noinline int tell_delegation(const struct hf_request *r, const struct hf_verdict *v, __u64 generation,
                                      __u64 target) {
  if (!r || !v) return 0;
  return tell_about(r, v, generation, HF_LAYER_MACHINE, target, 0, 0);
}

/* `subject`: -1: it cannot be told. */
static __noinline int answer_delegation(const struct hf_tables *tables, const __u16 *chain, int subject, __u64 id) {
  struct hf_request r = {.op = HF_OP_CGROUP_ATTACH};
  struct hf_verdict v = {};
  if (!tables || !chain) return 0;
  if (subject < 0) {
    r.flags |= HF_REQ_FACTS_MISSING;
    hf_refuse_plain(&v, HF_REASON_FACTS_MISSING);
  } else {
    r.subject = subject;
    __builtin_memcpy(r.dst_chain, chain, sizeof(r.dst_chain));
    judge_chain(tables, &r, &v);
  }
  if (v.action == HF_DENY) tell_delegation(&r, &v, tables->generation, id);
  return !hf_enforced_error(&v);
}

static __noinline int mover_number(__u64 generation) { return mover_now(generation); }

/* Returns 0, or -1 when it cannot be told. */
static __noinline int chain_of(__u64 generation, __u64 cgroup, __u16 *chain) {
  struct hf_known_profile known;
  if (!chain || find_known(&known, generation, cgroup)) return -1;
  __builtin_memcpy(chain, known.chain, sizeof(known.chain));
  return 0;
}

/* Returns whether the attribute may change. */
static __always_inline int may_delegate(__u64 cgroup) {
  const struct hf_tables *tables = live_tables();
  __u16 chain[HF_MAX_NEST] = {};
  int subject;
  if (!tables) {
    hf_count_undecided(&cgroup_totals.decisions);
    return 0;
  }
  subject = mover_number(tables->generation);
  if (chain_of(tables->generation, cgroup, chain)) subject = -1;
  return answer_delegation(tables, chain, subject, cgroup_id(cgroup));
}

static __noinline int change_delegation(__u64 cgroup, __u8 delegated) {
  __u64 id = cgroup_id(cgroup);
  if (!may_delegate(cgroup)) return -HF_EPERM;
  /* A full map leaves it undelegated: closed. The set itself can still fail; who may set, may. */
  bpf_map_update_elem(&cgroup_delegated, &id, &delegated, BPF_ANY);
  return 0;
}

SEC("lsm/inode_setxattr")
int HF_PROG_RESULT(cgroup_set_xattr, struct hf_unread *idmap, struct dentry___cg *dentry, const char *name,
                   const void *unread, unsigned long size, int flags, int ret) {
  __u64 cgroup;
  __u64 value = 0;
  char first = 0;
  if (ret) return ret;
  if (!is_delegate_name(name)) return 0;
  cgroup = cgroup_of_dentry(dentry);
  if (!cgroup) return 0;
  /* 6.1's verifier does not let an argument of type const void * be read from the context. */
  if (bpf_get_func_arg(ctx, 3, &value)) return -HF_EPERM;
  bpf_probe_read_kernel(&first, sizeof(first), (void *)value);
  return hf_answer(change_delegation(cgroup, (__u8)(size == 1 && first == '1')));
}

SEC("lsm/inode_removexattr")
int HF_PROG_RESULT(cgroup_remove_xattr, struct hf_unread *idmap, struct dentry___cg *dentry, const char *name,
                   int ret) {
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

#endif /* HOLDFAST_BPF_MACHINE_CGROUP_DELEGATION_BPF_H */
