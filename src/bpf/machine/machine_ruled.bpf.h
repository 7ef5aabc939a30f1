/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Whose rules about sockets and labels hold for the current task, and how a decision by them ends.
 *
 * Every task sends, so these programs run for every task. A machine without such rules pays a look at a number for each
 * operation; with rules, a task in no profile's cgroup pays a look at a number of its cgroup (known_profile.bpf.h).
 */
#ifndef HOLDFAST_BPF_MACHINE_MACHINE_RULED_BPF_H
#define HOLDFAST_BPF_MACHINE_MACHINE_RULED_BPF_H

#include "bpf/machine/known_profile.bpf.h"
#include "bpf/machine/machine_report.bpf.h"
#include "bpf/lib/socket_rules.bpf.h"
#include "core/machine_sockets.h"

/* Written by user space around the store that makes a policy live: on before, off after. */
__u32 socket_operations; /* HF_SOCK_* that some profile has rules about */
__u32 socket_peers;      /* 1: some policy had rules about peers: who met none yet is still on the way. Never off */
__u32 label_rules;       /* 1: some profile says who may label */
__u32 label_inherits;    /* 1: some profile's accepted sockets inherit */

struct {
  __uint(type, BPF_MAP_TYPE_HASH);
  /* Two generations while one replaces the other, and those of ordinary users. */
  __uint(max_entries, 2 * HF_PROFILE_SLOTS + HF_USER_ENTRIES);
  __uint(map_flags, BPF_F_NO_PREALLOC);
  __type(key, struct hf_policy_key);
  __type(value, struct hf_socket_profile);
} socket_profiles SEC(".maps");

/* By rule. */
struct {
  __uint(type, BPF_MAP_TYPE_HASH);
  __uint(max_entries, 2 * HF_MAX_SOCKET_RULES + HF_USER_ENTRIES);
  __uint(map_flags, BPF_F_NO_PREALLOC);
  __type(key, struct hf_policy_key);
  __type(value, struct hf_socket_rate);
} socket_rates SEC(".maps");

struct {
  __uint(type, BPF_MAP_TYPE_HASH);
  __uint(max_entries, 2 * HF_MACHINE_BUCKETS_MAX); /* what a policy before has left, beside this one's */
  __uint(map_flags, BPF_F_NO_PREALLOC);
  __type(key, struct hf_machine_bucket_key);
  __type(value, struct hf_locked_bucket);
} machine_buckets SEC(".maps");

/* How many buckets there are, by what the rule says, as in their keys. */
struct {
  __uint(type, BPF_MAP_TYPE_HASH);
  __uint(max_entries, 2 * HF_MAX_SOCKET_RULES + HF_USER_ENTRIES);
  __uint(map_flags, BPF_F_NO_PREALLOC);
  __type(key, __u64);
  __type(value, __u32);
} bucket_uses SEC(".maps");

/* The current task, under one layer. */
struct ruled_task {
  __u64 generation;
  __u64 bound;   /* the cgroup or the session that its buckets belong to */
  __u32 slot;    /* of the layer */
  __u16 profile; /* HF_NO_PROFILE: nobody's */
  __u8 asked;    /* one HF_SOCK_*; 0: about a label */
  __u8 unknown;  /* 1: nobody can tell whose, and each decision is a refusal */
  struct hf_socket_profile rules;
  struct hf_verdict verdict; /* of the last decision */
  __u64 question;            /* of the last decision, as in hf_allowed; 0: it is not remembered */
};

/* How many layers decide about the current task: the machine's policy, and its sessions. */
static __always_inline __u32 layers_now(void) {
  const struct hf_layers *sessions = sessions_of(bpf_get_current_task());
  __u32 count = sessions ? sessions->count : 0;
  return 1 + (count < HF_LAYERS_NESTED ? count : HF_LAYERS_NESTED);
}

/* Of several refusals: one that lasts, before one that does not. */
static __always_inline int stronger(int refused, int other) { return refused == -HF_EPERM || !other ? refused : other; }

/* ---- who is asked about ---------------------------------------------------------------------------------- */

static __noinline int know_service_now(struct ruled_task *task) {
  __u64 bound;
  int profile;
  if (!task) return -1;
  profile = profile_now(task->generation, &bound);
  if (profile < 0) return -1;
  task->profile = profile;
  task->bound = bound;
  return 0;
}

/*
 * Fills in who the current task is under layer number `index`. Returns the tables that decide about it. Null: it is nobody
 * there, or with `unknown` nobody can tell. The tables are looked up once, since others may become live at any time, in which
 * the same profile has another number.
 */
static __noinline const struct hf_tables *find_subject(struct ruled_task *task, __u32 index) {
  const struct hf_layer *layer = 0;
  const struct hf_tables *tables;
  if (!task || (!index && !machine_profiles)) return 0;
  if (index) {
    layer = session_number(sessions_of(bpf_get_current_task()), index - 1);
    if (!layer || (layer->setup && session_has_no_say(layer->slot, bpf_get_current_task()))) return 0;
    task->slot = layer->slot;
    task->bound = layer->set;
    task->profile = layer->profile;
  }
  tables = tables_of_layer(task->slot);
  if (!tables) {
    task->unknown = index != 0;
    return 0;
  }
  task->generation = tables->generation;
  if (!index && know_service_now(task)) task->unknown = 1;
  return task->unknown || task->profile != HF_NO_PROFILE ? tables : 0;
}

/* Fills in the rules of the subject. 0: it has none. */
static __noinline int find_rules(struct ruled_task *task) {
  const struct hf_socket_profile *rules;
  struct hf_policy_key key = {};
  if (!task || task->unknown) return 1;
  key.generation = task->generation;
  key.number = task->profile;
  rules = bpf_map_lookup_elem(&socket_profiles, &key);
  if (!rules) return 0;
  task->rules = *rules;
  return 1;
}

/* As find_subject(), for a subject with rules. */
static __always_inline const struct hf_tables *find_ruled(struct ruled_task *task, __u32 index) {
  const struct hf_tables *tables = find_subject(task, index);
  return tables && find_rules(task) ? tables : 0;
}

/* ---- the verdict ----------------------------------------------------------------------------------------- */

/* Global functions are verified once, and what they write is unknown to their callers. */
__noinline int judge_socket(struct hf_tables *tables, struct hf_request *r, struct hf_verdict *v) {
  if (!tables || !r || !v) return -1;
  hf_decide_some(tables, r, 1u << HF_OP_SOCKET | 1u << HF_OP_LABEL, v);
  return 0;
}

static const __u64 empty_bucket[sizeof(struct hf_locked_bucket) / sizeof(__u64)];

/*
 * A task that can make cgroups that a pattern binds could use up all buckets. So each rule has its share of
 * them, and when that is used up, only this rule refuses.
 */
static __always_inline struct hf_locked_bucket *make_bucket(const struct hf_socket_rate *rate,
                                                            const struct hf_machine_bucket_key *key) {
  __u64 digest = rate->digest;
  __u32 *uses = bpf_map_lookup_elem(&bucket_uses, &digest);
  if (!uses) return 0;
  if (__sync_fetch_and_add(uses, 1) >= rate->most ||
      bpf_map_update_elem(&machine_buckets, key, empty_bucket, BPF_NOEXIST))
    __sync_fetch_and_add(uses, -1);
  return bpf_map_lookup_elem(&machine_buckets, key);
}

/* Takes a token of the rule's bucket: 1, or 0. */
__noinline int take_token(__u64 generation, __u32 rule_id, __u64 bound) {
  struct hf_policy_key rule = {.generation = generation, .number = rule_id};
  const struct hf_socket_rate *rate = bpf_map_lookup_elem(&socket_rates, &rule);
  struct hf_machine_bucket_key key = {.cgroup = bound};
  struct hf_locked_bucket *bucket;
  if (!rate) return 0;
  key.rate = rate->digest;
  bucket = bpf_map_lookup_elem(&machine_buckets, &key);
  if (!bucket) bucket = make_bucket(rate, &key);
  return bucket ? hf_take_locked(bucket, &rate->rule) : 0;
}

static long drop_bucket(struct bpf_map *map, const void *number, struct hf_socket_rate *rate, __u64 *cgroup) {
  struct hf_machine_bucket_key key = {.rate = rate->digest, .cgroup = *cgroup};
  __u32 *uses;
  if (bpf_map_delete_elem(&machine_buckets, &key)) return 0;
  uses = bpf_map_lookup_elem(&bucket_uses, &key.rate);
  if (uses) __sync_fetch_and_add(uses, -1);
  return 0;
}

/* No task is in the cgroup any more, and its id is never used again. */
SEC("tp_btf/cgroup_rmdir")
int BPF_PROG(machine_cgroup_removed, struct cgroup___cg *cgroup, const char *path) {
  __u64 id = cgroup_id((__u64)cgroup);
  if (socket_operations) bpf_for_each_map_elem(&socket_rates, drop_bucket, &id, 0);
  return 0;
}

static __noinline int tell_socket(const struct hf_request *r, const struct ruled_task *task, __u64 target) {
  if (!r || !task) return 0;
  return tell_about(r, &task->verdict, task->generation, task->slot, target, 0, 0);
}

/* Decides, takes a token, counts and reports: 0, or the negative errno. The verdict is stored with the task. */
__noinline int conclude_socket(struct hf_tables *tables, struct hf_request *r, struct ruled_task *task, __u64 target) {
  if (!tables || !r || !task) {
    hf_count_undecided(&cgroup_totals.decisions);
    return -HF_EPERM;
  }
  if (judge_socket(tables, r, &task->verdict)) hf_refuse_plain(&task->verdict, HF_REASON_FACTS_MISSING);
  if (task->verdict.action == HF_LIMIT) {
    task->question = 0;
    hf_settle(tables, &task->verdict, take_token(task->generation, task->verdict.rule, task->bound));
  }
  tell_socket(r, task, target);
  return hf_enforced_error(&task->verdict);
}

#endif /* HOLDFAST_BPF_MACHINE_MACHINE_RULED_BPF_H */
