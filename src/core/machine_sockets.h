/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * What a policy says about sockets, as the maps of the machine-wide programs hold it beside the tables. Keys that depend
 * on a policy carry its generation, like those of paths.h.
 */
#ifndef HOLDFAST_CORE_MACHINE_SOCKETS_H
#define HOLDFAST_CORE_MACHINE_SOCKETS_H

#include "core/abi.h"
#include "core/bucket.h"
#include "core/inline.h"

#define HF_LABEL_IDS_MAX 16384u       /* names and values in one policy, and names that label.set lists */
#define HF_KNOWN_PROFILES_MAX 8192u   /* cgroups whose profile is remembered */
#define HF_MACHINE_BUCKETS_MAX 65536u /* rates and cgroups; shared out among the rates of a policy */

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
  __u64 seal;    /* hf_known_seal() */
};

/*
 * Ties an entry to its key. The kernel gives an entry that it drops to another key at once, while a program may still be
 * reading it; what was read of two of them does not have the seal of either. Odd factors, so that no word is lost.
 */
HF_INLINE __u64 hf_known_seal(const struct hf_known_key *key, const struct hf_known_profile *known) {
  __u64 seal = (key->cgroup ^ 0x9e3779b97f4a7c15ull) * 0xff51afd7ed558ccdull;
  seal = ((seal ^ seal >> 29) + key->generation) * 0xc4ceb9fe1a85ec53ull;
  seal = ((seal ^ seal >> 32) + known->bound) * 0x9fb21c651e98df25ull;
  seal = ((seal ^ seal >> 31) + ((__u64)known->profile << 32 | known->epoch)) * 0xd6e8feb86659fd93ull;
  return seal ^ seal >> 32;
}

/* A rule with a rate, as the policy has it. */
struct hf_socket_rate {
  __u64 digest; /* the first part of the key of its buckets */
  struct hf_socket_rule rule;
  __u32 most; /* buckets: its share of HF_MACHINE_BUCKETS_MAX */
  __u32 pad0;
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
HF_LAYOUT(sizeof(struct hf_known_profile) == 24);
HF_LAYOUT(sizeof(struct hf_socket_rate) == 112);
HF_LAYOUT(sizeof(struct hf_machine_bucket_key) == 16);

#endif /* HOLDFAST_CORE_MACHINE_SOCKETS_H */
