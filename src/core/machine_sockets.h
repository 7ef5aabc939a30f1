/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * What a policy says about sockets, as the maps of the machine-wide programs hold it beside the tables. Keys that depend
 * on a policy carry its generation, like those of paths.h.
 */
#ifndef HOLDFAST_CORE_MACHINE_SOCKETS_H
#define HOLDFAST_CORE_MACHINE_SOCKETS_H

#include "core/abi.h"
#include "core/bucket.h"

#define HF_LABEL_IDS_MAX 16384u       /* names and values in one policy, and names that label.set lists */
#define HF_KNOWN_PROFILES_MAX 8192u   /* cgroups whose profile is remembered */
#define HF_PEER_CALLS_MAX 16384u      /* tasks that have ever gone to meet a peer that a rule asks about */
#define HF_MACHINE_BUCKETS_MAX 65536u /* rates and cgroups */

/* hf_socket_profile.labels */
#define HF_LABELS_RULED (1u << 0)   /* members set and remove only what label.set lists */
#define HF_LABELS_INHERIT (1u << 1) /* what they accept has the listener's labels */

struct hf_policy_key {
  __u64 generation;
  __u32 number; /* of a profile; of a rule */
  __u32 pad0;
};

/* A profile that has rules about sockets or labels. */
struct hf_socket_profile {
  __u16 operations;      /* HF_SOCK_* that its rules are about, */
  __u16 own_operations;  /* that depend on the socket's labels, */
  __u16 peer_operations; /* on those of a unix socket's peer */
  __u16 labels;          /* HF_LABELS_* */
};

/* What a hash (machine_labels.h) means to a policy. */
#define HF_LABEL_IS_NAME 1u  /* value of the entry: its index */
#define HF_LABEL_IS_VALUE 2u /* its id */
#define HF_LABEL_MAY_BE_SET 3u

struct hf_label_id_key {
  __u64 generation;
  __u64 hash;
  __u32 kind;    /* HF_LABEL_* */
  __u32 profile; /* with HF_LABEL_MAY_BE_SET; else 0 */
};

/* Whose profile a task has by its cgroup. It depends on nothing but the policy and marks: names of cgroups do not change. */
struct hf_known_key {
  __u64 generation;
  __u64 cgroup;
};

struct hf_known_profile {
  __u64 bound;   /* the cgroup that the profile is bound to, that or one above; 0: no profile */
  __u32 profile; /* the deepest */
  __u32 epoch;   /* of marks on cgroups */
};

/* A rule with a rate, as the policy has it. */
struct hf_socket_rate {
  __u64 digest; /* the first part of the key of its buckets */
  struct hf_socket_rule rule;
};

/*
 * Buckets go by what the rule says and not by its number, so a rule that a new policy has as well keeps its bucket; and
 * by the cgroup that the profile is bound to, so nobody gets a full one by making a cgroup below.
 */
struct hf_machine_bucket_key {
  __u64 rate;   /* a digest of profile and rule */
  __u64 cgroup; /* 0: of those that have the profile by a mark, wherever they are */
};

HF_LAYOUT(sizeof(struct hf_policy_key) == 16);
HF_LAYOUT(sizeof(struct hf_socket_profile) == 8);
HF_LAYOUT(sizeof(struct hf_label_id_key) == 24);
HF_LAYOUT(sizeof(struct hf_known_key) == 16);
HF_LAYOUT(sizeof(struct hf_known_profile) == 16);
HF_LAYOUT(sizeof(struct hf_socket_rate) == 104);
HF_LAYOUT(sizeof(struct hf_machine_bucket_key) == 16);

#endif /* HOLDFAST_CORE_MACHINE_SOCKETS_H */
